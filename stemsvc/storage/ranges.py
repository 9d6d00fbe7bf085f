"""A file that lies elsewhere, read in ranges as they are asked for."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

BLOCK = 256 * 1024
MOST_BLOCKS = 40  # some more than `stemsvc.jobs.probe` reads: a header lies in the first or last bytes


class Ranges(io.RawIOBase):
    """A file of `size` bytes, of which `read(first, last)` gets a range, both ends included.

    Each block of `BLOCK` bytes is got once and kept. Raises `OSError` where more than `MOST_BLOCKS` would be.
    """

    def __init__(self, size: int, read: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self._size = size
        self._read = read
        self._at = 0
        self._blocks: dict[int, bytes] = {}

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
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("before the start of the file")
        self._at = start + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """The next `size` bytes, fewer only at the end."""
        end = self._size if size is None or size < 0 else min(self._size, self._at + size)
        parts = []
        while self._at < end:
            block, offset = divmod(self._at, BLOCK)
            part = self._block(block)[offset : offset + end - self._at]
            if not part:
                raise OSError("the file is shorter than it was")
            parts.append(part)
            self._at += len(part)
        return b"".join(parts)

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            if len(self._blocks) >= MOST_BLOCKS:
                raise OSError("too much of the file was asked for")
            first = number * BLOCK
            self._blocks[number] = self._read(first, min(first + BLOCK, self._size) - 1)
        return self._blocks[number]
