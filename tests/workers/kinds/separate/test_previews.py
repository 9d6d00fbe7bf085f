"""Previews beside a separation: made once, and never what a job fails for."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.sounds import Sound
from workers.audio.peaks import PeaksWriter
from workers.kinds.separate.previews import INDEX, PACK, PEAKS, Previewed, Previews

OUTPUTS = ("vocals", "drums")
RATE, SECONDS = 44100, 5


def piece() -> dict[str, Sound]:
    return {name: np.full((RATE, 2), 0.25, np.float32) for name in OUTPUTS}


def previews(folder: Path, codec: str | None, frames: int = RATE * SECONDS, keep_free: int = 0) -> Previews:
    return Previews(folder, Previewed(OUTPUTS, RATE, frames, 2), codec, keep_free)


@pytest.mark.parametrize(
    ("codec", "names"), [("flac", {PEAKS, PACK, INDEX}), ("mp3", {PEAKS, PACK, INDEX}), ("off", {PEAKS}), (None, set())]
)
def test_what_is_made_is_the_codec_s(tmp_path: Path, codec: str | None, names: set[str]) -> None:
    with previews(tmp_path, codec) as made:
        for _ in range(SECONDS):
            made.write(piece())
        files = made.close()

    assert set(files) == names
    assert {each.path for each in files.values()} == set(tmp_path.iterdir())
    if PACK in files:
        index = json.loads(files[INDEX].path.read_text())
        assert (index["stems"], index["frames"]) == (list(OUTPUTS), RATE * SECONDS)
        assert sum(sum(segment) for segment in index["segments"]) == files[PACK].bytes


def test_a_fault_ends_the_previews_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(self: PeaksWriter, pieces: list[Sound]) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PeaksWriter, "write", breaks)
    with previews(tmp_path, "mp3") as made:
        for _ in range(SECONDS):  # more pieces than wait: nobody takes them any more
            made.write(piece())
        assert made.close() == {}
    assert list(tmp_path.iterdir()) == []


def test_a_track_that_ends_early_has_no_previews(tmp_path: Path) -> None:
    with previews(tmp_path, "mp3", frames=RATE * SECONDS + 1) as made:
        for _ in range(SECONDS):
            made.write(piece())
        assert made.close() == {}
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_job_that_is_canceled(tmp_path: Path) -> None:
    def canceled() -> None:
        with previews(tmp_path, "mp3") as made:
            made.write(piece())
            raise RuntimeError("canceled")

    with pytest.raises(RuntimeError, match="canceled"):
        canceled()
    assert list(tmp_path.iterdir()) == []
    assert "previews" not in {each.name for each in threading.enumerate()}


def test_a_full_disk_has_no_room_for_previews(tmp_path: Path) -> None:
    with previews(tmp_path, "mp3", keep_free=1 << 60) as made:
        made.write(piece())
        assert made.close() == {}
    assert list(tmp_path.iterdir()) == []
