"""A track's length from its header, and nothing from what is none."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest

from stemsvc.jobs.probe import track_seconds
from tests.sounds import FORMATS, tone, write_sound

LENGTH_IN_HEADER = [name for name in FORMATS if name not in ("song.aac", "song.webm")]


@pytest.mark.parametrize("name", LENGTH_IN_HEADER)
def test_the_length_is_read_and_the_file_rewound(name: str, tmp_path: Path) -> None:
    rate = 48000 if name == "song.opus" else 44100
    with write_sound(tmp_path / name, tone(7.0, rate), rate).open("rb") as file:
        seconds = track_seconds(file)

        assert file.tell() == 0
    assert seconds == pytest.approx(7.0, abs=0.1)


def _wav(data: int) -> bytes:
    form = struct.pack("<HHIIHH", 1, 2, 44100, 176400, 4, 16)
    return (
        b"RIFF"
        + struct.pack("<I", 0xFFFFFFFF)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + struct.pack("<4sI", b"data", data)
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no music at all",
        _wav(0xFFFFFF00),  # claims six hours in 44 bytes
        bytes(40_000_000),
        b"\xff\xfb" * 5_000_000,
        b"\x00\x00\x00\x10ftypM4A \x00\x00\x00\x00" + b"\x00\x00\x00\x08moov" * 500_000,
        b"OggS" + bytes(20_000_000),
        b"fLaC" + bytes(4_000_000),
    ],
    ids=["empty", "text", "liar", "zeros", "syncs", "atoms", "ogg", "flac"],
)
def test_what_has_no_length_has_none(data: bytes) -> None:
    file = io.BytesIO(data)

    assert track_seconds(file) is None
    assert file.tell() == 0
