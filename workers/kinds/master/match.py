"""Matches a song's tone and width to those of a reference, within bounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workers.audio.convolve import Convolver, minimum_phase
from workers.kinds.master.measure import FFT, Measured

MOST_DB = 6.0  # of the tone, up or down
MOST_WIDTH_DB = 3.0
LOUDEST, QUIETEST = -7.0, -30.0  # LUFS: a louder or quieter reference is no target
BANDS_PER_OCTAVE = 3
LOW_HZ, HIGH_HZ = 40.0, 16_000.0
FLOOR = 1e-12  # of a band beside the whole: there is nothing to match


def tone(own: Measured, own_rate: int, other: Measured, other_rate: int) -> NDArray[np.float64]:
    """The centres of bands [n] in Hz and what each lacks of the other song [n] in dB, as rows [2, n].

    The songs' levels don't count; each band is at most `MOST_DB`.
    """
    top = min(HIGH_HZ, 0.45 * own_rate, 0.45 * other_rate)
    edges = LOW_HZ * 2 ** (np.arange(int(np.log2(top / LOW_HZ) * BANDS_PER_OCTAVE) + 1) / BANDS_PER_OCTAVE)
    centres = np.sqrt(edges[:-1] * edges[1:])
    first, second = _bands(own.power, own_rate, edges), _bands(other.power, other_rate, edges)
    heard = (first > FLOOR * first.sum()) & (second > FLOOR * second.sum())
    if not heard.any():
        return np.array([centres, np.zeros(len(centres))])
    lacks = np.where(heard, 10 * np.log10(np.maximum(second, 1e-30) / np.maximum(first, 1e-30)), 0.0)
    lacks = np.where(heard, lacks - lacks[heard].mean(), 0.0)
    smooth = np.convolve(np.pad(lacks, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    return np.array([centres, np.clip(smooth, -MOST_DB, MOST_DB)])


def width(own: Measured, other: Measured) -> float:
    """The factor of the sides that brings the song's width to the other's, within `MOST_WIDTH_DB`."""
    if own.width < 1e-3:  # a mono song has no sides to widen
        return 1.0
    most = 10 ** (MOST_WIDTH_DB / 20)
    return float(np.clip(other.width / own.width, 1 / most, most))


def loudness(other: Measured) -> float | None:
    """The reference's loudness as a target; None where it has none."""
    return None if other.loudness is None else float(np.clip(other.loudness, QUIETEST, LOUDEST))


def convolver(bands: NDArray[np.float64], rate: int, intensity: float) -> Convolver:
    """A filter with these gains, which delays nothing."""
    centres, gains = bands
    frequencies = np.fft.rfftfreq(FFT, 1 / rate)
    wanted = np.interp(np.log(np.maximum(frequencies, 1.0)), np.log(centres), gains * intensity)
    answer = minimum_phase(10 ** (wanted / 20)).astype(np.float32)
    return Convolver(np.repeat(answer[: FFT // 2, None], 2, axis=1))


def _bands(power: NDArray[np.float64], rate: int, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean power of each band."""
    sums = np.concatenate([[0.0], np.cumsum(power)])
    places = np.clip(np.round(edges * FFT / rate), 0, len(power)).astype(int)
    stops = np.maximum(places[1:], places[:-1] + 1)
    return np.asarray((sums[np.minimum(stops, len(power))] - sums[places[:-1]]) / (stops - places[:-1]))
