"""The pages of an Ogg file (RFC 3533)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

CAPTURE = b"OggS"
HEAD_BYTES = 27
FIRST, LAST = 0x02, 0x04  # flags of a stream's first and last page
SEARCHED = 1 << 16  # bytes at a time, where a page is looked for


@dataclass(frozen=True)
class Page:
    """One page: where it starts and ends, whether it begins a stream, whether its last packet is complete."""

    start: int
    end: int
    first: bool
    complete: bool


def pages(file: BinaryIO) -> Iterator[Page]:
    """Yield the pages in order; the last one may end beyond the file. Bytes between pages are skipped."""
    at = 0
    while (found := _find(file, at)) is not None:
        file.seek(found)
        head = file.read(HEAD_BYTES)
        if len(head) < HEAD_BYTES:
            return
        table = file.read(head[26])
        at = found + HEAD_BYTES + head[26] + sum(table)
        if at > found + HEAD_BYTES:
            complete = not table or table[-1] < 255 or bool(head[5] & LAST)
            yield Page(found, at, bool(head[5] & FIRST), complete and len(table) == head[26])
        else:
            at = found + len(CAPTURE)


def _find(file: BinaryIO, at: int) -> int | None:
    """Where the next page starts, from `at` on; mostly there."""
    file.seek(at)
    if file.read(len(CAPTURE)) == CAPTURE:
        return at
    file.seek(at)
    while part := file.read(SEARCHED):
        if (index := part.find(CAPTURE)) >= 0:
            return at + index
        if len(part) < SEARCHED:
            return None
        at += len(part) - len(CAPTURE) + 1
        file.seek(at)
    return None
