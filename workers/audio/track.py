"""A decoded track: its samples on the scratch disk, and facts about the file that they came from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stemsvc.errors import ScratchFull
from stemsvc.jobs.warnings import JobWarning
from workers.audio.tags import NONE, Tags

CHANNELS = 2
FRAME_BYTES = CHANNELS * 4


@dataclass(frozen=True)
class Track:
    """Stereo float32 samples in the file `path`, interleaved, at `sample_rate`."""

    path: Path
    codec: str
    sample_rate: int
    channels: int  # of the source; the samples here are always stereo
    frames: int
    broken_packets: int = 0  # that could not be decoded and are left out
    warnings: tuple[JobWarning, ...] = ()
    tags: Tags = NONE  # of the file; `decode_apart` reads them

    @property
    def seconds(self) -> float:
        """Playing time."""
        return self.frames / self.sample_rate

    @property
    def facts(self) -> dict[str, str | int | float]:
        """The source's facts, as clients see them."""
        return {
            "codec": self.codec,
            "sample_rate": self.sample_rate,
            "channels": self.channels,
            "frames": self.frames,
            "duration_seconds": self.seconds,
            "broken_packets": self.broken_packets,
        }

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The samples [stop - start, 2]. Not mapped: a mapped file's pages count as the process's memory."""
        count = (stop - start) * CHANNELS
        return np.fromfile(self.path, np.float32, count, offset=start * FRAME_BYTES).reshape(-1, CHANNELS)

    def samples(self) -> NDArray[np.float32]:
        """All samples [frames, 2]."""
        return self.read(0, self.frames)


@contextlib.contextmanager
def scratch_errors() -> Iterator[None]:
    """Raise `TransientError` `scratch_full` for an `OSError` of a scratch file."""
    try:
        yield
    except OSError as error:
        raise ScratchFull(f"the scratch disk can't be written: {error.strerror}") from error
