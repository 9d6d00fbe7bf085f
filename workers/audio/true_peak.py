"""Measures a signal's true peak: that of the continuous wave between its samples (ITU-R BS.1770-4, annex 2)."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

LEAST_RATE = 176_400  # Hz: the recommendation asks for four times 44.1 or 48 kHz
MOST_TIMES = 4


class TruePeak:
    """Measures one signal piece by piece, by sampling it up to four times as often."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._times = next(times for times in (1, 2, MOST_TIMES) if rate * times >= LEAST_RATE or times == MOST_TIMES)
        self._channels = 0
        self._stream: soxr.ResampleStream | None = None
        self._highest = 0.0

    def add(self, samples: NDArray[np.float32]) -> None:
        """Measure the next samples [n, channels]."""
        self._note(samples)
        if self._times == 1 or not len(samples):
            return
        if self._stream is None:
            self._channels = samples.shape[1]
            self._stream = soxr.ResampleStream(self._rate, self._rate * self._times, self._channels, dtype="float32")
        self._note(self._stream.resample_chunk(np.ascontiguousarray(samples)))

    def finish(self) -> float:
        """The peak of all samples, as a share of full scale. Call it once, after the last `add`."""
        if self._stream is not None:
            self._note(self._stream.resample_chunk(np.zeros((0, self._channels), np.float32), last=True))
        return self._highest

    def _note(self, samples: NDArray[np.float32]) -> None:
        if len(samples):
            self._highest = max(self._highest, float(np.abs(samples).max()))
