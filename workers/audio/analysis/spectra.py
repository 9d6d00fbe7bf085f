"""Spectra of a signal that comes in blocks: the same frames, however the blocks are cut."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Mono = NDArray[np.float32]
BATCH = 256  # frames at a time: what lies in memory does not grow with the block


class Spectra:
    """Magnitudes of Hann windows of `size` samples, one every `hop` samples, the first centred on sample 0."""

    def __init__(self, size: int, hop: int) -> None:
        self._size, self._hop = size, hop
        self._window = np.asarray(np.hanning(size + 1)[:-1] * (2 / size), np.float32)
        self._rest = np.zeros(size // 2, np.float32)

    def add(self, mono: Mono) -> Iterator[NDArray[np.float32]]:
        """Yield the magnitudes [frames, size / 2 + 1] that the next samples complete; a sine of amplitude 1 has 0.5."""
        held = np.concatenate([self._rest, mono])
        count = max(0, (len(held) - self._size) // self._hop + 1)
        for start in range(0, count, BATCH):
            at = start * self._hop
            frames = np.lib.stride_tricks.sliding_window_view(held[at:], self._size)[:: self._hop][
                : min(BATCH, count - start)
            ]
            yield np.abs(scipy.fft.rfft(frames * self._window, axis=1)).astype(np.float32, copy=False)
        self._rest = held[count * self._hop :].copy()

    def finish(self) -> Iterator[NDArray[np.float32]]:
        """Yield the last magnitudes, behind whose centre there is silence."""
        yield from self.add(np.zeros(self._size // 2, np.float32))
