"""A file that is read by ranges: the same bytes, few of them, and never too many."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from stemsvc.jobs.probe import track_seconds
from stemsvc.storage.ranges import BLOCK, MOST_BLOCKS, Ranges
from tests.sounds import tone, write_sound

DATA = random.Random(1).randbytes(3 * BLOCK + 17)


class Far:
    """Bytes that lie elsewhere, and the ranges that were asked for."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: list[tuple[int, int]] = []

    def read(self, first: int, last: int) -> bytes:
        self.asked.append((first, last))
        return self.data[first : last + 1]


def test_what_is_read_is_what_lies_there() -> None:
    file = Ranges(len(DATA), Far(DATA).read)

    assert file.read() == DATA
    assert file.read(1) == b""
    for start, size in ((0, 1), (BLOCK - 3, 7), (2 * BLOCK, BLOCK), (len(DATA) - 5, 50), (len(DATA) + 9, 1)):
        assert file.seek(start) == start
        assert file.read(size) == DATA[start : start + size]
    assert file.seek(-5, os.SEEK_END) == len(DATA) - 5
    assert (file.read(2), file.tell()) == (DATA[-5:-3], len(DATA) - 3)
    with pytest.raises(ValueError, match="before the start"):
        file.seek(-1)


def test_each_block_is_transferred_once_and_only_where_it_is_read() -> None:
    far = Far(DATA)
    file = Ranges(len(DATA), far.read)
    for _ in range(100):
        file.seek(-9, os.SEEK_END)
        file.read(9)
        file.seek(4)
        file.read(4)

    assert far.asked == [(3 * BLOCK, len(DATA) - 1), (0, BLOCK - 1)]


def test_no_file_makes_its_reader_transfer_much() -> None:
    far = Far(b"")
    far.data = bytes(BLOCK)
    file = Ranges(10**12, lambda first, last: far.read(0, BLOCK - 1))
    for number in range(MOST_BLOCKS):
        file.seek(number * 10**9)
        assert file.read(1) == b"\0"
    file.seek(10**11)
    with pytest.raises(OSError, match="too much"):
        file.read(1)

    assert len(far.asked) == MOST_BLOCKS


def test_a_file_that_became_shorter_ends_in_an_error() -> None:
    with pytest.raises(OSError, match="shorter"):
        Ranges(10, Far(b"12345").read).read()


@pytest.mark.parametrize("name", ["song.flac", "song.wav", "song.m4a"])
def test_a_header_is_read_from_little_of_a_long_track(name: str, tmp_path: Path) -> None:
    path = write_sound(tmp_path / name, tone(12.0, 44100), 44100)
    size = path.stat().st_size
    far = Far(path.read_bytes())

    assert track_seconds(Ranges(size, far.read)) == pytest.approx(12.0, abs=0.2)  # type: ignore[arg-type]
    assert len(far.asked) <= 4
