"""How long a track plays, told from a few of its bytes and without decoding: a guess, or a length that they prove.

What decodes is the track; the decoder finds its true length. A guess is good for predictions alone. Only a proved
length may refuse a job or count against a quota before it is decoded.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from tinytag import TinyTag

from stemsvc.jobs.proof import proved_seconds

# A header lies within a file's first or last bytes. A worker measures a file whose header is not found within these.
_MOST_BYTES = 8 * 1024 * 1024
_MOST_READS = 20_000
# No codec needs fewer for a second, not even for silence. A header that says so has a placeholder or another clock.
_LEAST_BYTES = 50


@dataclass(frozen=True)
class Length:
    """Seconds that a track plays. With `proved` its file has the bytes of at least so much sound."""

    seconds: float
    proved: bool

    @property
    def proved_seconds(self) -> float:
        """What may be counted now; 0 for a guess."""
        return self.seconds if self.proved else 0.0


def longest(lengths: Sequence[Length | None]) -> Length | None:
    """The length of the longest of several tracks; None where that of one is not known."""
    known = [each for each in lengths if each is not None]
    if not known or len(known) < len(lengths):
        return None
    return Length(max(each.seconds for each in known), all(each.proved for each in known))


class _TooMuch(Exception):
    """Raised when a file makes its reader read more than the limits allow."""


class _Sparing(io.RawIOBase):
    """A file that allows `_MOST_BYTES` and `_MOST_READS`, so that a hostile file can't hold a request's thread."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._bytes = _MOST_BYTES
        self._reads = _MOST_READS

    def read(self, size: int = -1) -> bytes:
        part = self._file.read(min(size, self._bytes + 1) if size >= 0 else self._bytes + 1)
        self._bytes -= len(part)
        self._reads -= 1
        if self._bytes < 0 or self._reads < 0:
            raise _TooMuch
        return part

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def track_length(file: BinaryIO) -> Length | None:
    """How long the file's track plays; None where that can't be told. Rewinds the file."""
    try:
        size = file.seek(0, io.SEEK_END)
        sparing = _Sparing(file)
        if (proved := proved_seconds(sparing, size)) is not None:
            return Length(proved, proved=True) if proved > 0 else None
        file.seek(0)
        seconds = TinyTag.get(file_obj=sparing, tags=False, image=False).duration  # type: ignore[arg-type]
    except Exception:  # a damaged header may make the reader raise anything; the decoder will name the fault
        return None
    finally:
        file.seek(0)
    return Length(float(seconds), proved=False) if seconds and 0 < seconds < size / _LEAST_BYTES else None


def track_seconds(file: BinaryIO) -> float | None:
    """The same in seconds, guessed or proved."""
    found = track_length(file)
    return found.seconds if found else None
