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
RATE = 44100  # Hz, of every piece
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


class Unable(Exception):
    """Raised when a provider can't make a piece, here or at all: the next one takes its place, and the job says why."""


class Provider(Protocol):
    """Makes pieces by briefs."""

    @property
    def name(self) -> str:
        """The model that it is."""

    @property
    def tries(self) -> int:
        """How often it may make a piece until one is good enough."""

    @property
    def composes(self) -> bool:
        """Whether it follows a brief's form and the parts that a variation changes."""

    def prepare(self, attempt: Attempt) -> None:
        """Fetch what it needs, before it has the device. Raises `Unable`, and what `attempt.report` raises."""

    def make(self, brief: Brief, folder: Path, attempt: Attempt) -> Piece:
        """The piece of a brief, in an empty folder. Raises `Unable`, and what `attempt.report` raises."""


def total(samples: Sound) -> Sound:
    """The sum [n, 2] of parts side by side."""
    return np.asarray(samples.reshape(len(samples), -1, 2).sum(axis=1), np.float32)
