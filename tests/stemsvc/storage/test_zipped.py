"""The zip that is made while it is read: what others read in it, its length, its ranges."""

from __future__ import annotations

import io
import os
import subprocess
import zipfile
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stemsvc.storage.zipped import PART, Member, Zipped
from tests.programs import need

MOMENT = datetime(2026, 11, 28, 12, 30, 7, tzinfo=UTC)
FILES = {"sóng - vocals.flac": os.urandom(PART + 12_345), "empty.mp3": b"", "🎵.wav": b"hello"}


def member(name: str, data: bytes) -> Member:
    return Member(name, len(data), zlib.crc32(data), lambda start, count: data[start : start + count])


def zipped(files: dict[str, bytes] = FILES) -> Zipped:
    return Zipped([member(name, data) for name, data in files.items()], MOMENT)


def test_it_is_a_zip_of_stored_files() -> None:
    made = zipped()
    data = made.read()

    assert len(data) == made.size
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.testzip() is None
        assert {name: found.read(name) for name in found.namelist()} == FILES
        for info in found.infolist():
            assert (info.compress_type, info.flag_bits & 8) == (zipfile.ZIP_STORED, 0)  # 8: checksum behind the file
            assert info.date_time == (2026, 11, 28, 12, 30, 6)
            assert info.external_attr >> 16 == 0o100644


def test_unzip_finds_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped().read())
    assert subprocess.run([need("unzip"), "-tq", path], capture_output=True, check=False).returncode == 0


def test_no_files_are_a_zip_too() -> None:
    with zipfile.ZipFile(io.BytesIO(zipped({}).read())) as found:
        assert found.namelist() == []


def test_any_range_is_what_the_whole_has_there() -> None:
    made, whole = zipped(), zipped().read()
    for start in (0, 1, 29, 60, PART - 1, PART + 50, made.size - 30, made.size - 1, made.size, made.size + 9):
        for count in (1, 70, 100_000):
            made.seek(start)
            assert made.read(count) == whole[start : start + count]
    assert made.seek(-22, os.SEEK_END) == made.size - 22
    assert made.read().startswith(b"PK\5\6")


def test_the_same_files_have_the_same_digest_and_others_another() -> None:
    assert zipped().digest == zipped().digest
    others = [{**FILES, "🎵.wav": b"hellO"}, {**FILES, "x": b""}, dict(reversed(FILES.items()))]
    assert len({zipped().digest, *(zipped(files).digest for files in others)}) == 4


def test_beyond_four_gigabytes_it_is_zip64_and_memory_stays_flat() -> None:
    # given a file of 5 GiB, of which only what is read is made, and one behind it
    asked: list[int] = []

    def zeros(start: int, count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    size = 5 * 2**30 + 3
    made = Zipped([Member("long.wav", size, 0, zeros), member("after", b"x")], MOMENT)
    with zipfile.ZipFile(io.BufferedReader(made)) as found:
        assert [(info.filename, info.file_size) for info in found.infolist()] == [("long.wav", size), ("after", 1)]
        assert found.read("after") == b"x"
    made = Zipped([Member("long.wav", size, 0, zeros), member("after", b"x")], MOMENT)
    made.seek(4 * 2**30)
    for _ in range(100):
        assert len(made.read(65536)) == 65536
    assert max(asked) <= PART


@pytest.mark.long
def test_many_small_files_need_zip64_too() -> None:
    with zipfile.ZipFile(io.BytesIO(zipped({str(number): b"" for number in range(0x10001)}).read())) as found:
        assert len(found.namelist()) == 0x10001


def test_a_file_that_became_shorter_breaks_the_zip_instead_of_padding_it() -> None:
    made = Zipped([Member("a", 10, 0, lambda start, count: b"")], MOMENT)
    with pytest.raises(EOFError):
        made.read()
