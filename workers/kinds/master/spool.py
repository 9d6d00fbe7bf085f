"""Samples on the scratch disk, written block by block."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from workers.audio.track import Track, scratch_errors


class Spool:
    """A file of samples that becomes a track like another one. Raises `TransientError` `scratch_full`."""

    def __init__(self, path: Path, like: Track) -> None:
        self.track = replace(like, path=path)

    def __enter__(self) -> Spool:
        with scratch_errors():
            self._file: BinaryIO = self.track.path.open("wb")
        return self

    def write(self, samples: NDArray[np.float32]) -> None:
        """Add samples [n, 2]."""
        with scratch_errors():
            self._file.write(np.ascontiguousarray(samples, np.float32).tobytes())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
