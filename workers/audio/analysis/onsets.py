"""How strongly something starts at each moment of a track: spectral flux in three bands.

The flux is that of Böck and Widmer, "Maximum filter vibrato suppression for onset detection" (DAFx 2013): rises of the
logarithmic spectrum above the loudest neighbour of some frames ago, so that vibrato is no onset.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from workers.audio.analysis.spectra import Mono, Spectra

RATE = 22050  # Hz of the signal
SIZE, HOP = 1024, 256
FRAME_RATE = RATE / HOP  # 86.13 frames a second
BANDS = ("low", "mid", "high")
EDGES = (27.5, 200.0, 2000.0, 11000.0)  # Hz: kick and bass, voices and snare, hats
LAG = 2  # frames between which a rise counts
GAIN = 1000.0  # of the logarithm: 60 dB below full scale is 1


class OnsetStream:
    """Onset strengths of mono blocks at `RATE`."""

    def __init__(self) -> None:
        self._spectra = Spectra(SIZE, HOP)
        self._filters, self._group = _filters()
        self._before = np.zeros((LAG, len(self._group)), np.float32)

    def add(self, mono: Mono) -> Iterator[NDArray[np.float32]]:
        """Yield strengths [frames, 3], a column for each of `BANDS`."""
        yield from map(self._flux, self._spectra.add(mono))

    def finish(self) -> Iterator[NDArray[np.float32]]:
        """Yield the last strengths."""
        yield from map(self._flux, self._spectra.finish())

    def _flux(self, magnitudes: NDArray[np.float32]) -> NDArray[np.float32]:
        level = np.log10(1 + GAIN * (magnitudes @ self._filters))
        known = np.concatenate([self._before, level])
        rise = np.maximum(0, level - maximum_filter1d(known[:-LAG], 3, axis=1))
        self._before = known[-LAG:]
        return np.stack([rise[:, self._group == band].mean(axis=1) for band in range(len(BANDS))], axis=1)


def _filters() -> tuple[NDArray[np.float32], NDArray[np.int_]]:
    """Triangles a quarter of an octave apart, where bins are that close: [bins, filters], and the band of each."""
    hertz = np.fft.rfftfreq(SIZE, 1 / RATE)
    centres = EDGES[0] * 2 ** (np.arange(0, 4 * np.log2(EDGES[-1] / EDGES[0]) + 1) / 4)
    bins = np.unique(np.round(centres / hertz[1]).astype(int))
    bins = bins[(bins > 0) & (bins < len(hertz))]
    shape = np.zeros((len(hertz), len(bins) - 2), np.float32)
    for number, (low, middle, high) in enumerate(zip(bins, bins[1:], bins[2:], strict=False)):
        shape[low : middle + 1, number] = np.linspace(0, 1, middle - low + 1)
        shape[middle : high + 1, number] = np.linspace(1, 0, high - middle + 1)
    group = np.searchsorted(EDGES[1:-1], hertz[bins[1:-1]])
    return shape, group
