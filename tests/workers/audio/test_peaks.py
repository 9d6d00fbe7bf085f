"""The peaks of stems: read back by the format's own words, and compared with the samples."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.sounds import Sound
from workers.audio.peaks import ZOOMS, PeaksWriter

STEMS = ("vocals", "größe")


def sounds(frames: int) -> list[Sound]:
    random = np.random.default_rng(frames)
    return [random.uniform(-1.2, 1.2, (frames, 2)).astype(np.float32) for _ in STEMS]


def written(path: Path, stems: list[Sound], piece: int) -> bytes:
    frames = len(stems[0])
    with PeaksWriter(path, STEMS, 48000, frames) as peaks:
        for start in range(0, frames, piece):
            peaks.write([stem[start : start + piece] for stem in stems])
        peaks.finish()
    return path.read_bytes()


def read(data: bytes) -> tuple[list[str], dict[int, NDArray[np.int8]]]:
    """The stems' names, and of each zoom the pixels [stems, n, 2]."""
    magic, version, stems, rate, frames, zooms, reserved = struct.unpack_from("<4sHHIQHH", data)
    assert (magic, version, rate, reserved) == (b"STPK", 1, 48000, 0)
    names, at = [], 24
    for _ in range(stems):
        names.append(data[at + 1 : at + 1 + data[at]].decode())
        at += 1 + data[at]
    at += -at % 4
    found: dict[int, NDArray[np.int8]] = {}
    for number in range(zooms):
        samples, pixels, offset = struct.unpack_from("<IIQ", data, at + 16 * number)
        assert pixels == -(-frames // samples)
        found[samples] = np.frombuffer(data, np.int8, stems * pixels * 2, offset).reshape(stems, pixels, 2)
    return names, found


@pytest.mark.parametrize(("frames", "piece"), [(16384 * 2, 16384), (70_001, 999), (255, 100), (1, 1), (0, 1)])
def test_each_pixel_has_the_lowest_and_the_highest_sample(tmp_path: Path, frames: int, piece: int) -> None:
    stems = sounds(frames)
    names, zooms = read(written(tmp_path / "peaks.bin", stems, piece))

    assert names == list(STEMS)
    assert tuple(zooms) == ZOOMS
    for zoom, pixels in zooms.items():
        for stem, drawn in zip(stems, pixels, strict=True):
            for number, (low, high) in enumerate(drawn):
                covered = np.clip(stem[number * zoom : (number + 1) * zoom], -1, 1) * 127
                assert (low, high) == (round(float(covered.min())), round(float(covered.max())))


def test_the_file_is_as_long_as_its_head_says(tmp_path: Path) -> None:
    data = written(tmp_path / "peaks.bin", sounds(70_001), 5000)

    _, zooms = read(data)
    assert len(data) == 24 + 1 + 6 + 1 + 7 + 1 + 16 * 3 + sum(each.size for each in zooms.values())


def test_a_stem_of_another_length_is_refused(tmp_path: Path) -> None:
    with PeaksWriter(tmp_path / "peaks.bin", STEMS, 48000, 1000) as peaks:
        peaks.write(sounds(999))
        with pytest.raises(ValueError, match="999 samples, not 1000"):
            peaks.finish()
