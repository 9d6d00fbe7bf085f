"""The length that a track's header declares, read without decoding: an estimate, the decoder finds the true one."""

from __future__ import annotations

import io
from typing import BinaryIO

from tinytag import TinyTag

# A header lies within a file's first or last bytes. A worker measures a file whose header is not found within these.
_MOST_BYTES = 8 * 1024 * 1024
_MOST_READS = 20_000


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


def track_seconds(file: BinaryIO) -> float | None:
    """The length in seconds that the file's header declares; None where none can be read. Rewinds the file."""
    try:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        found = TinyTag.get(file_obj=_Sparing(file), tags=False, image=False)  # type: ignore[arg-type]
        seconds = found.duration
    except Exception:  # a damaged header may make the reader raise anything; the decoder will name the fault
        return None
    finally:
        file.seek(0)
    # A header that declares more than 8 s for each byte is false: a byte holds some samples, never hours.
    return float(seconds) if seconds and 0 < seconds < size * 8 else None
