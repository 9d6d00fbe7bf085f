/** What the reader set: each stem's strip, the master, tempo, pitch and loop. Remembered for each job. */

import { LEAST_DB, MOST_DB, PLAIN, type Strip } from "./gains";
import type { Loop } from "./mixer";

export interface Mix {
  strips: Record<string, Strip>;
  masterDb: number;
  /** 0.5 to 1.5 */
  tempo: number;
  /** semitones, -12 to 12 */
  pitch: number;
  /** in samples */
  loop: Loop | null;
  looping: boolean;
}

const PREFIX = "stemsvc.mix.1.";
const ORDER = "stemsvc.mixes.1";
const MOST = 100;

/** Sums and remainders are silent at first where their parts play: all together would be twice the song. */
export function firstMix(stems: readonly string[]): Mix {
  const isSum = (name: string) => /^(no|minus)_/.test(name);
  const parts = stems.filter((name) => !isSum(name));
  const doubles = parts.length > 1;
  const strips = stems.map((name) => [name, { ...PLAIN, mute: doubles && isSum(name) }] as const);
  return { strips: Object.fromEntries(strips), masterDb: 0, tempo: 1, pitch: 0, loop: null, looping: false };
}

function within(value: unknown, least: number, most: number, fallback: number): number {
  return typeof value === "number" && value >= least && value <= most ? value : fallback;
}

/** A stored mix, as far as it fits the stems; what does not is as at first. */
export function readMix(stored: unknown, stems: readonly string[], frames: number): Mix {
  const first = firstMix(stems);
  if (typeof stored !== "object" || stored === null) return first;
  const found = stored as Partial<Mix>;
  for (const name of stems) {
    const strip = found.strips?.[name];
    if (!strip) continue;
    first.strips[name] = {
      db: within(strip.db, LEAST_DB, MOST_DB, 0),
      pan: within(strip.pan, -1, 1, 0),
      mute: strip.mute === true,
      solo: strip.solo === true,
    };
  }
  const loop = found.loop;
  const fits = loop && loop.start >= 0 && loop.end <= frames && loop.start < loop.end;
  return {
    ...first,
    masterDb: within(found.masterDb, LEAST_DB, MOST_DB, 0),
    tempo: within(found.tempo, 0.5, 1.5, 1),
    pitch: within(found.pitch, -12, 12, 0),
    loop: fits ? { start: loop.start, end: loop.end } : null,
    looping: found.looping === true && Boolean(fits),
  };
}

export function loadMix(id: string, stems: readonly string[], frames: number): Mix {
  try {
    return readMix(JSON.parse(localStorage.getItem(PREFIX + id) ?? "null"), stems, frames);
  } catch {
    return firstMix(stems);
  }
}

export function saveMix(id: string, mix: Mix): void {
  try {
    const known: unknown = JSON.parse(localStorage.getItem(ORDER) ?? "[]");
    const order = [id, ...(Array.isArray(known) ? known : []).filter((one) => one !== id)];
    for (const old of order.splice(MOST)) localStorage.removeItem(PREFIX + old);
    localStorage.setItem(ORDER, JSON.stringify(order));
    localStorage.setItem(PREFIX + id, JSON.stringify(mix));
  } catch {
    // without storage the mix lasts as long as the page
  }
}
