"""The same scores played with real instrument samples: FluidSynth and a General MIDI soundfont.

Used to make training data only. Debian's packages `fluidsynth` and `fluid-soundfont-gm` (MIT licence) carry both.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from stemsvc.demo.score import Hit, Note, Score
from stemsvc.demo.voices import RATE, Sound

SOUNDFONTS = (Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),)
# General MIDI programs (0-based) by role and note numbers of the General MIDI drum map.
PROGRAMS = {
    "bass": (32, 33, 34, 35, 36, 38, 39, 43),
    "chords": (0, 1, 2, 4, 5, 6, 11, 16, 17, 21, 24, 25, 26, 27, 29, 30, 61),
    "pad": (16, 19, 48, 49, 50, 51, 88, 89, 90, 91),
    "arpeggio": (0, 4, 8, 11, 12, 24, 25, 27, 45, 46, 81),
    "lead": (0, 22, 40, 56, 57, 60, 65, 66, 68, 71, 73, 75, 80, 81, 27, 29),
    "vocals": (52, 53, 54, 85),
}
DRUM_NOTES = {
    "kick": (35, 36),
    "snare": (38, 40),
    "hat": (42,),
    "open_hat": (46,),
    "ride": (51, 59),
    "crash": (49, 57),
    "tom": (48, 50),
    "low_tom": (41, 43),
    "clap": (39,),
    "shaker": (70, 54),
}
DRUM_KITS = (0, 0, 8, 16, 24, 25, 32, 40)


def available() -> list[Path]:
    """The soundfonts on this machine; empty where FluidSynth or every soundfont is missing."""
    return [path for path in SOUNDFONTS if path.exists()] if shutil.which("fluidsynth") else []


def play_notes(rng: np.random.Generator, font: Path, notes: list[Note], role: str, seconds: float) -> Sound:
    """Play `notes` on an instrument drawn for `role`; float32 [2, samples]."""
    program = int(rng.choice(PROGRAMS[role]))
    events = [(n.start, n.start + n.duration, n.pitch, n.velocity) for n in notes]
    return _play(font, events, channel=0, program=program, tempo=seconds)


def play_drums(rng: np.random.Generator, font: Path, hits: list[Hit], seconds: float) -> Sound:
    """Play `hits` on a drum kit drawn at random; float32 [2, samples]."""
    notes = {drum: int(rng.choice(numbers)) for drum, numbers in DRUM_NOTES.items()}
    events = [(h.start, h.start + 0.2, notes[h.drum], h.velocity) for h in hits]
    return _play(font, events, channel=9, program=int(rng.choice(DRUM_KITS)), tempo=seconds)


def play_score(rng: np.random.Generator, score: Score, sung: Sound) -> dict[str, Sound]:
    """All four stems of a score by soundfont; the voice is mostly `sung`, sometimes a sampled choir."""
    fonts = available()
    font = fonts[rng.integers(len(fonts))]
    total = int(score.seconds * RATE)
    other = np.zeros((2, total), np.float32)
    for role, notes in zip(score.other_roles, score.other, strict=True):
        sound = play_notes(rng, font, notes, role, score.seconds)
        other += sound / max(1e-4, float(np.sqrt(np.mean(sound**2)))) * np.float32(0.1 * rng.uniform(0.5, 1))
    vocals = sung
    if rng.random() < 0.2:
        vocals = play_notes(rng, font, score.vocals, "vocals", score.seconds)
    return {
        "drums": play_drums(rng, font, score.drums, score.seconds),
        "bass": play_notes(rng, font, score.bass, "bass", score.seconds),
        "other": other,
        "vocals": vocals,
    }


def _play(
    font: Path, events: list[tuple[float, float, int, float]], *, channel: int, program: int, tempo: float
) -> Sound:
    import mido
    from scipy.io import wavfile

    per_second = 1000
    moments = [(int(a * per_second), "note_on", p, max(1, int(v * 120))) for a, _, p, v in events]
    moments += [(int(b * per_second), "note_off", p, 0) for _, b, p, _ in events]
    track = mido.MidiTrack([mido.Message("program_change", channel=channel, program=program, time=0)])
    now = 0
    for tick, kind, pitch, velocity in sorted(moments):
        track.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=max(0, int(tempo * per_second) - now)))
    song = mido.MidiFile(ticks_per_beat=500)  # at MIDI's default of 120 beats a minute: one tick a millisecond
    song.tracks.append(track)
    with tempfile.TemporaryDirectory() as folder:
        score_path, wav_path = Path(folder, "score.mid"), Path(folder, "sound.wav")
        song.save(score_path)
        command = ["fluidsynth", "-ni", "-q", "-g", "0.5", "-R", "0", "-C", "0", "-r", str(RATE), "-F", str(wav_path)]
        subprocess.run([*command, str(font), str(score_path)], check=True, capture_output=True, timeout=120)
        _, samples = wavfile.read(wav_path)
    total = int(tempo * RATE)
    out = np.zeros((2, total), np.float32)
    sound = samples.T[:, :total].astype(np.float32) / 32768
    out[:, : sound.shape[1]] = sound
    return out
