"""What providers make: a piece, as stems or as a whole, in files of samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stemsvc.kinds.generate.brief import Brief
from workers.audio.track import Track
from workers.kinds.base import Attempt

Sound = NDArray[np.float32]
BLOCK = 1 << 16  # frames; a multiple of the limiter's hop


@dataclass(frozen=True)
class Piece:
    """The parts that a provider made, all of one length and rate, whose sum is the piece.

    `levels` are how loud each is to be beside the others, in dB; empty where they are right already.
    """

    parts: Mapping[str, Track]
    levels: Mapping[str, float]

    @property
    def rate(self) -> int:
        """Hz."""
        return next(iter(self.parts.values())).sample_rate

    @property
    def frames(self) -> int:
        """Samples per channel."""
        return next(iter(self.parts.values())).frames

    def blocks(self, gains: Mapping[str, float]) -> Iterator[tuple[int, Sound]]:
        """Where each block begins, and the parts' samples side by side [n, 2 * parts], with these gains."""
        for start in range(0, self.frames, BLOCK):
            stop = min(start + BLOCK, self.frames)
            read = [np.float32(gains[name]) * track.read(start, stop) for name, track in self.parts.items()]
            yield start, np.concatenate(read, axis=1)


class Provider(Protocol):
    """Makes pieces by briefs."""

    @property
    def name(self) -> str:
        """The model that it is."""

    def make(self, brief: Brief, folder: Path, attempt: Attempt) -> Piece:
        """The piece of a brief, in an empty folder. Raises what `attempt.report` raises."""


def total(samples: Sound) -> Sound:
    """The sum [n, 2] of parts side by side."""
    return np.asarray(samples.reshape(len(samples), -1, 2).sum(axis=1), np.float32)
