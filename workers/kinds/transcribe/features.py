"""What the networks see of a sound: frames of `HOP` samples, centred on their time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from workers.audio.mono import HOP, RATE, Sound, Wave

LOWEST = 21  # MIDI number of the lowest of the `PITCHES`, A0
PITCHES = 88
LONG, SHORT = 4096, 1024  # samples of the windows: the one tells pitches apart, the other moments
BANDS = 48  # of the drums' spectrum
FLOOR = 1e-3  # -60 dB of a sound's peak: what is softer looks like silence
Grid = NDArray[np.float32]


def semitones(sound: Sound, start: int, count: int) -> Grid:
    """Levels of each semitone's band [2, count, PITCHES] in the frames from `start` on: by long windows, by short."""
    return np.stack([_levels(sound, start, count, size, _semitone_bank(size)) for size in (LONG, SHORT)])


def bands(sound: Sound, start: int, count: int) -> Grid:
    """Levels of the drums' bands [2, count, BANDS] in the frames from `start` on: by short windows, by longer ones."""
    return np.stack([_levels(sound, start, count, size, _drum_bank(size)) for size in (SHORT, 2 * SHORT)])


def _levels(sound: Sound, start: int, count: int, size: int, bank: Grid) -> Grid:
    """Logarithmic levels, 0 for silence and about 1 for the sound's peak."""
    first = start * HOP - size // 2
    wave: Wave = sound.read(first, first + (count - 1) * HOP + size)
    windows = np.lib.stride_tricks.sliding_window_view(wave, size)[::HOP]
    shape = np.hanning(size + 1)[:-1].astype(np.float32)
    found = np.empty((count, bank.shape[1]), np.float32)
    for at in range(0, count, 256):  # memory stays flat
        spectrum = np.abs(np.fft.rfft(windows[at : at + 256] * shape, axis=1)).astype(np.float32)
        found[at : at + 256] = spectrum @ bank
    scale = 2 / shape.sum() / max(sound.peak, 1e-9)
    return np.asarray(np.log1p(found * scale / FLOOR) / np.log1p(1 / FLOOR), np.float32)


@lru_cache
def _semitone_bank(size: int) -> Grid:
    """Triangles [bins, PITCHES] around the semitones, never narrower than a window's main lobe."""
    centres = 440.0 * 2.0 ** ((np.arange(PITCHES) + LOWEST - 69) / 12)
    return _triangles(size, centres, np.maximum(centres * (2 ** (1 / 12) - 1), 1.0 * RATE / size))


@lru_cache
def _drum_bank(size: int) -> Grid:
    """Triangles [bins, BANDS] from 40 Hz to 10.5 kHz, evenly spaced on the mel scale of O'Shaughnessy (1987)."""
    low, high = (float(2595 * np.log10(1 + hertz / 700)) for hertz in (40.0, 10_500.0))
    mels = np.linspace(low, high, BANDS)
    centres = 700 * (10 ** (mels / 2595) - 1)
    return _triangles(size, centres, np.maximum(np.gradient(centres), RATE / size))


def _triangles(size: int, centres: NDArray[np.float64], widths: NDArray[np.float64]) -> Grid:
    bins = np.fft.rfftfreq(size, 1 / RATE)[:, None]
    return np.maximum(0, 1 - np.abs(bins - centres) / widths).astype(np.float32)
