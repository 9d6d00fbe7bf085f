"""A decoded track: its samples on scratch disk and the facts of where they came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CHANNELS = 2


@dataclass(frozen=True)
class Track:
    """Stereo float32 samples in the file `path`, interleaved, at the source's own rate."""

    path: Path
    codec: str
    sample_rate: int
    channels: int  # of the source; the samples here are always stereo
    frames: int
    broken_packets: int = 0  # that could not be decoded and were left out

    @property
    def seconds(self) -> float:
        """The track's length."""
        return self.frames / self.sample_rate

    def samples(self) -> NDArray[np.float32]:
        """The samples [frames, 2], mapped from disk, not read."""
        return np.memmap(self.path, np.float32, "r", shape=(self.frames, CHANNELS))
