"""The true peaks of a signal, hop by hop: what a limiter has to know beforehand."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from workers.audio.track import CHANNELS

HOP = 64  # frames
TIMES = 8  # how often each sample is looked at: 4 times, which BS.1770 asks for, may miss 0.7 dB, 8 times 0.2 dB
HALF = 12  # samples on each side that a value between two of them is made from
BETA = 5.0  # of the Kaiser window
ROW = 16  # samples that one row of the product below looks at: a whole product is far faster than one for each sample
PIECE = 128  # hops whose product is made at once: it fits into a core's cache


def _phases() -> NDArray[np.float32]:
    """The interpolating filters [2 HALF, TIMES - 1] of the moments between two samples.

    They are wide, as that of BS.1770-4, annex 2: what is just below half the sample rate counts, which a steep
    resampler would take away.
    """
    moments = np.arange(1, TIMES) / TIMES
    distance = np.arange(-HALF + 1, HALF + 1)[:, None] - moments
    window = np.i0(BETA * np.sqrt(np.maximum(0.0, 1 - (distance / HALF) ** 2))) / np.i0(BETA)
    return np.asarray(np.sinc(distance) * window, np.float32)


def _rows(phases: NDArray[np.float32]) -> NDArray[np.float32]:
    """The filters of `ROW` samples, one after the other, as a matrix [ROW + 2 HALF - 1, ROW (TIMES - 1)]."""
    found = np.zeros((ROW + 2 * HALF - 1, ROW, TIMES - 1), np.float32)
    for sample in range(ROW):
        found[sample : sample + 2 * HALF, sample] = phases
    return found.reshape(len(found), -1)


class PeakEnvelope:
    """The highest absolute value of both channels in each `HOP`, between the samples too."""

    def __init__(self) -> None:
        self._filters = _rows(_phases())
        self._rest = np.zeros((HALF - 1, CHANNELS), np.float32)  # silence before the first sample
        self._left = 0  # frames whose hop is not complete

    def add(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next samples [n, 2]; returns the peaks of the hops that are complete."""
        self._left += len(samples)
        self._rest = np.concatenate([self._rest, samples])
        return self._complete((len(self._rest) - 2 * HALF + 1) // HOP)

    def finish(self) -> NDArray[np.float32]:
        """The peaks of the last hops, the very last one perhaps of fewer samples."""
        count = -(-self._left // HOP)
        missing = count * HOP - self._left + HALF
        self._rest = np.concatenate([self._rest, np.zeros((missing, CHANNELS), np.float32)])
        return self._complete(count)

    def _complete(self, count: int) -> NDArray[np.float32]:
        if count <= 0:
            return np.zeros(0, np.float32)
        frames = count * HOP
        peaks = np.abs(self._rest[HALF - 1 : HALF - 1 + frames]).reshape(count, -1).max(axis=1)
        for channel in np.ascontiguousarray(self._rest[: frames + 2 * HALF - 1].T):
            for first in range(0, count, PIECE):
                found = peaks[first : first + PIECE]
                signal = channel[first * HOP : (first + len(found)) * HOP + 2 * HALF - 1]
                rows = np.ascontiguousarray(sliding_window_view(signal, len(self._filters))[::ROW])
                between = (rows @ self._filters).reshape(len(found), -1)
                np.maximum(found, np.maximum(between.max(axis=1), -between.min(axis=1)), out=found)
        self._rest, self._left = self._rest[frames:], self._left - frames
        return np.asarray(peaks, np.float32)
