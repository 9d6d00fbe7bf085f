export interface Note {
  start: number;
  end: number;
  pitch: number;
  name: string;
  velocity: number;
}

export interface StemNotes {
  name: string;
  channel: number;
  program: number;
  notes: readonly Note[];
}

/** The file `notes` of a transcription. Times are in seconds. */
export interface Transcription {
  version: number;
  bpm: number;
  tempo: string;
  time_signature: string;
  key: string | null;
  duration_seconds: number;
  tempo_map: readonly { seconds: number; beat: number; bpm: number }[];
  stems: readonly StemNotes[];
}

/** Notes that sound between two moments, in the order of the file. */
export function soundingIn(notes: readonly Note[], from: number, to: number): Note[] {
  return notes.filter((note) => note.end > from && note.start < to);
}

/** Seconds of the bars' first beats between two moments, by the tempo map; none where that is too short for bars. */
export function barsIn(found: Transcription, from: number, to: number): number[] {
  const beats = Number.parseInt(found.time_signature, 10) || 4;
  const bars: number[] = [];
  found.tempo_map.forEach((change, place) => {
    const next = found.tempo_map[place + 1];
    const seconds = 60 / change.bpm;
    if (!Number.isFinite(seconds) || seconds <= 0) return;
    const end = Math.min(next?.seconds ?? found.duration_seconds, to);
    const earliest = change.beat + Math.max(0, (from - change.seconds) / seconds);
    for (let beat = Math.ceil(earliest / beats - 1e-6) * beats; ; beat += beats) {
      const at = change.seconds + (beat - change.beat) * seconds;
      if (at >= end - 1e-9) break;
      if (at >= from) bars.push(at);
    }
  });
  return bars;
}

/** The lowest and the highest pitch, with room for at least an octave; null without notes. */
export function pitchRange(stems: readonly StemNotes[]): [number, number] | null {
  let [low, high] = [128, -1];
  for (const { notes } of stems) {
    for (const { pitch } of notes) {
      low = Math.min(low, pitch);
      high = Math.max(high, pitch);
    }
  }
  if (high < 0) return null;
  const missing = Math.max(0, 12 - (high - low));
  return [Math.max(0, low - 1 - Math.ceil(missing / 2)), Math.min(127, high + 1 + Math.floor(missing / 2))];
}
