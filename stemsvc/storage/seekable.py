"""A file to read from anywhere, whose bytes are got when they are read."""

from __future__ import annotations

import io
import os


class Seekable(io.RawIOBase):
    """A file of `size` bytes. `_next` gets some of those that come next."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Read from there next; it transfers nothing. Raises `ValueError` before the file's start."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise ValueError("before the start of the file")
        self._at = start + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """The next `size` bytes, fewer only at the end. Raises what `_next` raises."""
        end = self.size if size is None or size < 0 else min(self.size, self._at + size)
        parts = []
        while self._at < end:
            parts.append(self._next(end - self._at))
            self._at += len(parts[-1])
        return b"".join(parts)

    def _next(self, most: int) -> bytes:
        """At least one of the bytes from `_at` on, and at most so many."""
        raise NotImplementedError
