"""Tempo: which regular pulse the onsets of a track have.

Periods are scored by the autocorrelation at their multiples, and weighed by how often people tap them: a log-normal
distribution around two beats a second, after Parncutt 1994 and Ellis, "Beat tracking by dynamic programming" (2007).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

SLOWEST, FASTEST = 40.0, 240.0  # beats a minute
PREFERRED, SPREAD = 108.0, 0.45  # beats a minute, octaves
WINDOW_SECONDS = 24.0
MULTIPLES = (0.25, 0.5, 1, 2, 3, 4, 8, 16)
WEIGHTS = (0.3, 0.5, 1.0, 1.0, 0.2, 1.5, 1.2, 0.6)
BAND_WEIGHTS = (1.0, 1.0, 0.6)  # of the onsets' bands
LEAST_FIT = 0.01  # of a tempo that is one
MOST_CANDIDATES = 5
LOCAL_SECONDS, LOCAL_RANGE, TURN = 12.0, 0.4, 1.5  # octaves; and what an octave's change costs
STEP = 2 ** (1 / 120)  # between tempi of the grid: 0.6 %

Curve = NDArray[np.float32]


@dataclass(frozen=True)
class Period:
    """A tempo in beats a minute that may be a track's: how well the comb fits it, and the autocorrelation after half a
    beat and after four beats."""

    bpm: float
    fit: float
    half: float
    four: float


@dataclass(frozen=True)
class TempoCandidate:
    """A tempo in beats a minute, and how likely it is, from 0 to 1."""

    bpm: float
    score: float


def strength(onsets: Curve, rate: float) -> Curve:
    """One onset strength [frames] from bands [frames, bands]: each band's loud and quiet passages count the same."""
    total = np.zeros(len(onsets), np.float32)
    for band, weight in enumerate(BAND_WEIGHTS):
        total += weight * _even(onsets[:, band], rate)
    return total


def _even(curve: Curve, rate: float) -> Curve:
    wide = max(1, round(4 * rate))
    smooth = gaussian_filter1d(curve, 0.012 * rate)
    above = np.maximum(0, smooth - uniform_filter1d(smooth, max(1, round(0.4 * rate)), mode="nearest"))
    # the filter's running sum leaves a little less than nothing where silence follows sound
    level = np.sqrt(np.maximum(0, uniform_filter1d(above**2, wide, mode="nearest")))
    return np.asarray(above / (level + 0.1 * level.max() + 1e-6), np.float32)


def autocorrelation(curve: Curve, rate: float) -> NDArray[np.float64]:
    """Mean autocorrelation of windows of `WINDOW_SECONDS`, by lag in frames; 1 at lag 0."""
    size = min(len(curve), round(WINDOW_SECONDS * rate))
    padded = 1 << (2 * size - 1).bit_length()
    total = np.zeros(padded // 2 + 1)
    for start in range(0, max(1, len(curve) - size // 2), max(1, size // 2)):
        part = curve[start : start + size]
        spectrum = np.fft.rfft(part - part.mean(), padded)
        total += np.abs(spectrum) ** 2
    found = np.fft.irfft(total)[:size]
    found /= np.maximum(1e-9, found[0])
    return np.asarray(found * size / np.maximum(size / 4, size - np.arange(size)))


def tempi() -> NDArray[np.float64]:
    """The tempi that are scored, in beats a minute."""
    return np.asarray(SLOWEST * STEP ** np.arange(int(np.log(FASTEST / SLOWEST) / np.log(STEP)) + 1))


def comb(found: NDArray[np.float64], rate: float, bpm: NDArray[np.float64]) -> NDArray[np.float64]:
    """How well the autocorrelation fits each tempo; multiples that are longer than a window don't count."""
    period = 60 * rate / bpm
    lags = np.arange(len(found))
    total, weights = np.zeros(len(bpm)), np.zeros(len(bpm))
    for multiple, weight in zip(MULTIPLES, WEIGHTS, strict=True):
        known = multiple * period < len(found) - 1
        total += np.where(known, weight * np.interp(multiple * period, lags, found), 0)
        weights += np.where(known, weight, 0)
    return total / np.maximum(weights, 1e-9)


def preference(bpm: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """How readily people tap these tempi; 1 at `PREFERRED`."""
    return np.asarray(np.exp(-0.5 * (np.log2(bpm / PREFERRED) / SPREAD) ** 2))


def candidates(curve: Curve, rate: float, on_tick: Callable[[], None] = lambda: None) -> list[Period]:
    """The tempi at which the comb fits best, the best first; none for a curve without a pulse."""
    bpm = tempi()
    on_tick()
    found = autocorrelation(curve, rate)
    fits = np.maximum(0, comb(found, rate, bpm)) * preference(bpm)
    inner = np.arange(1, len(bpm) - 1)
    tops = inner[(fits[inner] >= fits[inner - 1]) & (fits[inner] > fits[inner + 1]) & (fits[inner] > LEAST_FIT)]
    best = sorted(tops, key=lambda at: -fits[at])[:MOST_CANDIDATES]
    at_lag = [_at(found, 60 * rate / bpm[at], (0.5, 4)) for at in best]
    return [
        Period(float(bpm[at]), float(fits[at] / preference(bpm[at])), *lags)
        for at, lags in zip(best, at_lag, strict=True)
    ]


def _at(found: NDArray[np.float64], period: float, multiples: tuple[float, ...]) -> list[float]:
    lags = np.array(multiples) * period
    return [float(each) for each in np.interp(lags, np.arange(len(found)), found, right=0.0)]


def local_tempi(
    curve: Curve, rate: float, bpm: float, on_tick: Callable[[], None] = lambda: None
) -> NDArray[np.float64]:
    """The tempo at each frame of a track that speeds up or slows down, never far from `bpm`.

    Windows of `LOCAL_SECONDS` are scored as the whole track is; Viterbi's path through them changes little.
    """
    grid = tempi()
    grid = grid[np.abs(np.log2(grid / bpm)) < LOCAL_RANGE]
    size, step = round(LOCAL_SECONDS * rate), round(LOCAL_SECONDS * rate / 4)
    starts = np.arange(0, max(1, len(curve) - size + step), step)
    turn = TURN * np.abs(np.log2(grid[:, None] / grid[None, :]))
    score, before = np.zeros(len(grid)), np.zeros((len(starts), len(grid)), np.int16)
    for number, start in enumerate(starts):
        on_tick()
        reached = score[None, :] - turn
        before[number] = reached.argmax(axis=1)
        fits = comb(autocorrelation(curve[start : start + size], rate), rate, grid)
        score = reached.max(axis=1) + fits
    at, chosen = int(score.argmax()), np.zeros(len(starts))
    for number in range(len(starts) - 1, -1, -1):
        chosen[number] = grid[at]
        at = int(before[number, at])
    return np.interp(np.arange(len(curve)), starts + size / 2, chosen)
