"""The picture of the notes."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from workers.audio.tempo_map import steady
from workers.kinds.transcribe.midi import Part
from workers.kinds.transcribe.notes import NOTE
from workers.kinds.transcribe.piano_roll import GROUND, MOST_WIDTH, draw, write_piano_roll


def read_png(data: bytes) -> tuple[int, int, bytes]:
    """Width, height and pixels of a PNG; every checksum must be right."""
    at, found = 8, {}
    while at < len(data):
        (size,), name = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(name + body)
        found[name] = body
        at += 12 + size
    width, height = struct.unpack(">II", found[b"IHDR"][:8])
    return width, height, zlib.decompress(found[b"IDAT"])


def test_a_note_is_drawn_in_its_row_and_its_time(tmp_path: Path) -> None:
    notes = np.array([(2.0, 4.0, 60, 80), (6.0, 7.0, 67, 80)], NOTE)
    picture = draw([Part("piano", notes, 0, 0)], steady(120), 10.0)
    ink = np.argwhere(picture == len(GROUND))
    scale = picture.shape[1] / 10
    assert (ink[:, 1].min(), ink[:, 1].max()) == (2 * scale, 7 * scale - 1)
    assert not np.any(picture[:, int(4.5 * scale) : int(5.5 * scale)] == len(GROUND))
    write_piano_roll(tmp_path / "roll.png", [Part("piano", notes, 0, 0)], steady(120), 10.0)
    width, height, pixels = read_png((tmp_path / "roll.png").read_bytes())
    assert (height, width) == picture.shape
    assert len(pixels) == height * (width + 1)


def test_a_track_of_hours_and_one_without_notes_make_pictures_of_a_size(tmp_path: Path) -> None:
    assert draw([Part("piano", np.zeros(0, NOTE), 0, 0)], steady(120), 28_800.0).shape[1] == MOST_WIDTH
    assert draw([Part("drums", np.zeros(0, NOTE), 9, 0)], steady(120), 0.1).size > 0
