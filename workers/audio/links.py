"""The links of a chained file: tracks that follow each other, each with a head, a clock, a rate and a layout.

Ogg chains by design (RFC 3533); FLAC files become chains when they are joined. FFmpeg refuses a link whose rate or
layout is not the first one's, or decodes some samples of it twice, so each is decoded as a file by itself.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from stemsvc.errors import AudioCorrupt
from workers.audio import ogg

FLAC_HEAD = b"fLaC\x00\x00\x00\x22"  # the mark, and the head of a STREAMINFO that others follow
FLAC_HEADS = (FLAC_HEAD, b"fLaC\x80\x00\x00\x22")  # or none
MOST = 10_000
SEARCHED = 1 << 20  # bytes at a time


@contextmanager
def links(path: Path) -> Iterator[Iterator[Path | BinaryIO]]:
    """The links of a chained file, each as a file; of any other file, the file alone.

    Raises `UsageError` `audio_corrupt` for a file of more than `MOST` links.
    """
    if not path.is_file():  # FFmpeg says so
        yield iter([path])
        return
    with path.open("rb") as file:
        starts = _starts(file)
        if len(starts) < 2:
            yield iter([path])
            return
        if len(starts) > MOST:
            raise AudioCorrupt(f"the file chains {len(starts)} tracks; at most {MOST} are taken")
        ends = [*starts[1:], path.stat().st_size]
        yield (io.BufferedReader(_Slice(file, *each)) for each in zip(starts, ends, strict=True))


def _starts(file: BinaryIO) -> list[int]:
    """Where each link starts; no start where the format has none."""
    mark = file.read(len(ogg.CAPTURE))
    if mark == ogg.CAPTURE:
        return _ogg_starts(file)
    return _flac_starts(file) if mark == FLAC_HEAD[: len(mark)] else []


def _ogg_starts(file: BinaryIO) -> list[int]:
    starts: list[int] = []
    before = False
    for page in ogg.pages(file):
        if page.first and not before:  # the streams of one link begin side by side
            starts.append(page.start)
        before = page.first
    return starts


def _flac_starts(file: BinaryIO) -> list[int]:
    starts: list[int] = []
    at, kept = 0, len(FLAC_HEAD) - 1
    file.seek(0)
    rest = b""
    while part := file.read(SEARCHED):
        data = rest + part
        for head in FLAC_HEADS:
            index = data.find(head)
            while index >= 0:
                starts.append(at - len(rest) + index)
                index = data.find(head, index + 1)
        at, rest = at + len(part), data[-kept:]
    return sorted(starts)


class _Slice(io.RawIOBase):
    """A part of a file, as a file. It does not close the file."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        super().__init__()
        self._file = file
        self._start = start
        self._size = end - start
        self._at = 0

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        self._file.seek(self._start + self._at)
        part = self._file.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True
