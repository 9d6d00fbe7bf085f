"""A singing voice: a harmonic glottal source under moving vowel formants, with vibrato, glides and consonants.

Formant frequencies are the textbook averages of Peterson and Barney (1952), scaled per singer.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

from stemsvc.demo.score import Note
from stemsvc.demo.voices import RATE, Sound, hertz

# vowel: centre (Hz) of the first three formants, then two fixed upper ones that give a voice its ring
VOWELS = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
    "ae": (660, 1720, 2410),
    "er": (490, 1350, 1690),
}
UPPER = (3300.0, 4200.0)
WIDTHS = (80.0, 100.0, 140.0, 200.0, 260.0)
LEVELS = (1.0, 0.65, 0.4, 0.35, 0.2)
CONTROL = 210  # samples between control points: 4.8 ms


def sing(rng: np.random.Generator, notes: list[Note], seconds: float) -> Sound:
    """Sing `notes` with one randomly drawn voice; float32 [samples]."""
    total = int(seconds * RATE)
    frames = total // CONTROL + 2
    pitch, level, formants = contours(rng, notes, frames)
    at = np.arange(total) / CONTROL
    steps = np.arange(frames)
    f0 = np.interp(at, steps, pitch)
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    tilt = float(rng.uniform(0.7, 1.3))
    out = np.zeros(total, np.float32)
    for k in range(1, int(9000 / max(60.0, float(pitch[level > 0.01].min(initial=200)))) + 1):
        frequency = k * pitch
        gain = level * _vocal_tract(frequency, formants) * k**-tilt * (frequency < 10000)
        if gain.max() > 1e-4:
            out += np.interp(at, steps, gain).astype(np.float32) * np.sin(k * phase).astype(np.float32)
    breath = rng.normal(0, 1, total) * np.interp(at, steps, level) * rng.uniform(0.005, 0.03)
    out += sosfilt(butter(2, [1500, 9000], "bandpass", fs=RATE, output="sos"), breath).astype(np.float32)
    _add_consonants(rng, notes, out)
    return out


def contours(rng: np.random.Generator, notes: list[Note], frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pitch in Hz [frames], loudness [frames] and formant centres in Hz [5, frames] over the control points."""
    pitch, level = np.full(frames, 200.0), np.zeros(frames)
    formants = np.tile(np.array([500.0, 1500.0, 2500.0, *UPPER])[:, None], frames)
    tract = float(rng.uniform(0.92, 1.2))
    rate, depth = float(rng.uniform(4.8, 6.4)), float(rng.uniform(0.0, 0.5))
    glide = float(rng.uniform(0.02, 0.09))
    previous: float | None = None
    for note in notes:
        first, last = int(note.start * RATE / CONTROL), int((note.start + note.duration) * RATE / CONTROL)
        last = min(last, frames)
        if last - first < 4:
            continue
        time = np.arange(last - first) * CONTROL / RATE
        vibrato = depth * np.clip((time - 0.15) / 0.25, 0, 1) * np.sin(2 * np.pi * rate * time)
        drift = np.cumsum(rng.normal(0, 0.012, len(time)))
        origin = note.pitch - rng.uniform(0, 2) if previous is None else previous
        slide = (origin - note.pitch) * np.exp(-time / glide)
        pitch[first:last] = hertz(0) * 2 ** ((note.pitch + slide + vibrato + drift - drift.mean()) / 12)
        rise = np.minimum(1, time / rng.uniform(0.02, 0.06))
        fall = np.minimum(1, (time[-1] - time) / rng.uniform(0.03, 0.08))
        level[first:last] = note.velocity * rise * fall * (1 + 0.05 * np.sin(2 * np.pi * rate * time))
        centres = np.array([*VOWELS[str(rng.choice(list(VOWELS)))], *UPPER])[:, None] * tract
        formants[:, first:last] = centres
        formants[:, last:] = centres
        pitch[last:] = pitch[last - 1]
        previous = note.pitch if note.duration > 0.1 else None
    smooth = np.hanning(13) / np.hanning(13).sum()
    return pitch, level, np.apply_along_axis(lambda f: np.convolve(np.pad(f, 6, "edge"), smooth, "valid"), 1, formants)


def _vocal_tract(frequency: np.ndarray, formants: np.ndarray) -> np.ndarray:
    """Gain at `frequency` [frames] of parallel second-order resonances at `formants` [5, frames]."""
    gain = np.zeros_like(frequency)
    for centre, width, level in zip(formants, WIDTHS, LEVELS, strict=True):
        gain += level / np.sqrt(1 + ((frequency - centre) / width) ** 2)
    return gain


def _add_consonants(rng: np.random.Generator, notes: list[Note], out: Sound) -> None:
    """Put a short burst of shaped noise (s, t, f, h) before some notes."""
    for note in notes:
        if rng.random() > 0.45:
            continue
        length = int(rng.uniform(0.03, 0.11) * RATE)
        start = max(0, int(note.start * RATE) - length // 2)
        low = float(rng.choice([1500, 3000, 4500]))
        hiss = sosfilt(butter(2, [low, low * 2.2], "bandpass", fs=RATE, output="sos"), rng.normal(0, 1, length))
        hiss = hiss * np.hanning(length) * rng.uniform(0.05, 0.25) * note.velocity
        stop = min(len(out), start + length)
        out[start:stop] += hiss[: max(0, stop - start)].astype(np.float32)
