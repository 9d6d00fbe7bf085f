"""The track that is separated: it is read piece by piece, measured once, and normalised for the networks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]
CHUNK = 1 << 16  # samples


class Mixture(Protocol):
    """A stereo track at the model's rate that is read piece by piece, more than once."""

    @property
    def frames(self) -> int:
        """Samples per channel."""

    def read(self, start: int, stop: int) -> Sound:
        """The samples [stop - start, 2]."""


class Measured:
    """A mixture whose mean and deviation are known, so that nobody reads it twice."""

    loudness: tuple[float, float]


class Passing:
    """A mixture that can't be read from its start again; `whole` can, and is about as loud."""

    whole: Mixture


@dataclass(frozen=True)
class ArrayMixture:
    """A mixture in memory, [frames, 2]."""

    samples: Sound

    @property
    def frames(self) -> int:
        """Samples per channel."""
        return len(self.samples)

    def read(self, start: int, stop: int) -> Sound:
        """The samples from `start` to `stop`."""
        return self.samples[start:stop]


def loudness(mixture: Mixture) -> tuple[float, float]:
    """Mean and standard deviation of the mono mix, as upstream's `Separator` normalises by them (deviation + 1e-8)."""
    if isinstance(mixture, Measured):
        return mixture.loudness
    total, squares, centre = 0.0, 0.0, 0.0
    for start in range(0, mixture.frames, CHUNK):
        chunk = mixture.read(start, min(start + CHUNK, mixture.frames))
        mono = chunk.sum(axis=1, dtype=np.float32) * np.float32(0.5)
        if start == 0:
            centre = float(mono.mean())  # so that a large offset costs the squares no digits
        mono -= np.float32(centre)
        total += float(mono.sum())
        squares += float(np.dot(mono, mono))
    if mixture.frames < 2:
        return centre, 1e-8  # one sample has no deviation
    variance = (squares - total * total / mixture.frames) / (mixture.frames - 1)
    return centre + total / mixture.frames, math.sqrt(max(variance, 0.0)) + 1e-8


def population(mixture: Mixture) -> tuple[float, float]:
    """Mean and standard deviation of the mono mix as MSST's `normalize_audio` takes them: that of a population.

    Of silence the deviation is 1: MSST would divide by 0.
    """
    if mixture.frames == 0:
        return 0.0, 1.0
    mean, deviation = loudness(mixture)
    deviation = (deviation - 1e-8) * math.sqrt((mixture.frames - 1) / mixture.frames)
    return mean, deviation if deviation > 0 else 1.0


class Reader:
    """Normalised samples [channels, n] of a track at any position; zero outside it."""

    def __init__(self, read: Callable[[int, int], NDArray[np.float32]], frames: int, mean: float, scale: float) -> None:
        self._read = read
        self._frames = frames
        self._mean = np.float32(mean)
        self._scale = np.float32(scale)

    def fill(self, out: NDArray[np.float32], begin: int) -> None:
        """Write the samples from `begin` on into `out` [channels, n]."""
        end = begin + out.shape[-1]
        first, last = max(begin, 0), min(end, self._frames)
        out[:, : max(first - begin, 0)] = 0
        out[:, max(last - begin, 0) :] = 0
        if last > first:
            inside = out[:, first - begin : last - begin]
            np.subtract(self._read(first, last).T, self._mean, out=inside)
            np.divide(inside, self._scale, out=inside)

    def pick(self, out: NDArray[np.float32], positions: NDArray[np.int64]) -> None:
        """Write the samples at these positions into `out` [channels, n]; a negative position is silence."""
        heard = positions[positions >= 0]
        if len(heard):
            first = int(heard.min())
            near = self._read(first, int(heard.max()) + 1).T
            np.take(near, positions - first, axis=1, mode="clip", out=out)
            np.subtract(out, self._mean, out=out)
            np.divide(out, self._scale, out=out)
        out[:, positions < 0] = 0
