"""A file that lies elsewhere, read in ranges as they are asked for."""

from __future__ import annotations

from collections.abc import Callable

from stemsvc.storage.seekable import Seekable

BLOCK = 256 * 1024
MOST_BLOCKS = 40  # some more than `stemsvc.jobs.probe` reads: a header lies in the first or last bytes


class Ranges(Seekable):
    """A file of `size` bytes, of which `read(first, last)` gets a range, both ends included.

    Each block of `BLOCK` bytes is got once and kept. Raises `OSError` where more than `MOST_BLOCKS` would be.
    """

    def __init__(self, size: int, read: Callable[[int, int], bytes]) -> None:
        super().__init__(size)
        self._read = read
        self._blocks: dict[int, bytes] = {}

    def _next(self, most: int) -> bytes:
        block, offset = divmod(self._at, BLOCK)
        part = self._block(block)[offset : offset + most]
        if not part:
            raise OSError("the file is shorter than it was")
        return part

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            if len(self._blocks) >= MOST_BLOCKS:
                raise OSError("too much of the file was asked for")
            first = number * BLOCK
            self._blocks[number] = self._read(first, min(first + BLOCK, self.size) - 1)
        return self._blocks[number]
