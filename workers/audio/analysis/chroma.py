"""Which of the twelve pitch classes sound at each moment, in the bass and above it.

A constant-Q-like spectrum (three bins a semitone, from two FFTs) is whitened, and explained as a sum of notes with
falling partials, as by Mauch and Dixon, "Approximate note transcription for the improved identification of difficult
chords" (ISMIR 2010). What no note explains, such as drums, counts for little.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from workers.audio.analysis.spectra import Mono, Spectra

RATE = 11025  # Hz of the signal
HOP = 1024
FRAME_RATE = RATE / HOP  # 10.77 frames a second
LONG, SHORT = 8192, 4096  # samples of the windows: below and above `SPLIT`
SPLIT = 250.0  # Hz
LOWEST, HIGHEST = 28, 96  # MIDI pitches: E1 to C7
STEPS = 3  # bins of the spectrum for each semitone
PARTIALS, FALL = 12, 0.7  # of a note, and how much softer each is than the one before
ROUNDS = 20  # of the multiplicative updates
Features = NDArray[np.float32]


class ChromaStream:
    """Chroma of mono blocks at `RATE`, for instruments tuned `cents` away from A4 = 440 Hz."""

    def __init__(self, cents: float = 0.0) -> None:
        self._long, self._short = Spectra(LONG, HOP), Spectra(SHORT, HOP)
        self._low, self._high = kernels(cents)
        self._notes = _dictionary()
        self._waiting: tuple[list[Features], list[Features]] = ([], [])

    def add(self, mono: Mono) -> Iterator[Features]:
        """Yield chroma [frames, 24]: twelve classes from C on of all notes, then of the bass."""
        yield from self._both(self._long.add(mono), self._short.add(mono))

    def finish(self) -> Iterator[Features]:
        """Yield the last chroma."""
        yield from self._both(self._long.finish(), self._short.finish())

    def _both(self, low: Iterator[Features], high: Iterator[Features]) -> Iterator[Features]:
        """The two windows end at different samples, so their frames wait for each other."""
        self._waiting[0].extend(each @ self._low for each in low)
        self._waiting[1].extend(each @ self._high for each in high)
        lows, highs = (np.concatenate(each) if each else np.zeros((0, 0), np.float32) for each in self._waiting)
        count = min(len(lows), len(highs))
        self._waiting = ([lows[count:]] if len(lows) > count else [], [highs[count:]] if len(highs) > count else [])
        if count:
            yield fold(activations(whiten(np.concatenate([lows[:count], highs[:count]], axis=1)), self._notes))


def pitches() -> NDArray[np.float64]:
    """MIDI pitch of each bin of the spectrum."""
    return LOWEST - 1 / STEPS + np.arange((HIGHEST - LOWEST + 1) * STEPS) / STEPS


def kernels(cents: float) -> tuple[Features, Features]:
    """From magnitudes of the two windows to the bins below and above `SPLIT`: [bins, pitches] each."""
    hertz = 440 * 2 ** ((pitches() + cents / 100 - 69) / 12)
    return _kernel(hertz[hertz < SPLIT], LONG), _kernel(hertz[hertz >= SPLIT], SHORT)


def _kernel(centres: NDArray[np.float64], size: int) -> Features:
    """Raised cosines, one semitone wide but at least four bins, which is what a window's main lobe covers."""
    hertz = np.fft.rfftfreq(size, 1 / RATE)[:, None]
    width = np.maximum(centres * (2 ** (1 / 12) - 1), 2.0 * RATE / size)
    away = np.clip(np.abs(hertz - centres) / width, 0, 1)
    shape = 0.5 + 0.5 * np.cos(np.pi * away)
    return np.asarray(shape / shape.sum(axis=0), np.float32)


def whiten(spectrum: Features) -> Features:
    """The spectrum without its slope, what stands above its surroundings: [frames, pitches], each at most about 3."""
    wide = 12 * STEPS + 1
    mean = uniform_filter1d(spectrum, wide, axis=1, mode="nearest")
    spread = np.sqrt(np.maximum(0, uniform_filter1d(spectrum**2, wide, axis=1, mode="nearest") - mean**2))
    floor = 1e-4 * np.maximum(1e-9, spectrum.max(axis=1, keepdims=True)) + 1e-7
    return np.asarray(np.maximum(0, spectrum - mean) / (spread + floor) * (spectrum > 1e-6), np.float32)


def _dictionary() -> Features:
    """Spectra of the notes [notes, pitches]: partials that fall by `FALL`."""
    at = pitches()
    notes = np.zeros((HIGHEST - LOWEST + 1, len(at)), np.float32)
    for number in range(len(notes)):
        for partial in range(1, PARTIALS + 1):
            pitch = LOWEST + number + 12 * np.log2(partial)
            notes[number] += FALL ** (partial - 1) * np.maximum(0, 1 - np.abs(at - pitch) / (2 / STEPS))
    return np.asarray(notes / np.linalg.norm(notes, axis=1, keepdims=True), np.float32)


def activations(spectrum: Features, notes: Features) -> Features:
    """How strongly each note sounds [frames, notes], so that their sum is nearest to the spectrum and none is negative.

    Multiplicative updates of Lee and Seung, with the notes held.
    """
    towards, gram = spectrum @ notes.T, notes @ notes.T
    found = towards.copy()
    for _ in range(ROUNDS):
        found *= towards / (found @ gram + 1e-6)
    return found


def fold(found: Features) -> Features:
    """Twelve classes of all notes and twelve of the bass [frames, 24], in which low notes count more."""
    pitch = np.arange(LOWEST, HIGHEST + 1)
    treble = np.clip((pitch - 40) / 12, 0, 1) * np.clip((98 - pitch) / 24, 0, 1)
    bass = np.clip((60 - pitch) / 12, 0, 1)
    into = np.zeros((len(pitch), 24), np.float32)
    into[np.arange(len(pitch)), pitch % 12] = treble
    into[np.arange(len(pitch)), 12 + pitch % 12] = bass
    return found @ into
