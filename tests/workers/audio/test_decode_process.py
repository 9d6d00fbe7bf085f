"""Decoding in a child: the same track, the same errors, and a file that ends its decoder ends nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from stemsvc.errors import TransientError, UsageError
from tests.sounds import tone, write_sound
from workers.audio.decode import Limits, decode
from workers.audio.decode_process import decode_apart


def nothing() -> None:
    pass


def test_a_child_decodes_as_we_do(tmp_path: Path) -> None:
    song = write_sound(tmp_path / "song.flac", tone(2.0, 44100), 44100)

    ours = decode(song, tmp_path / "ours.f32", Limits(60))
    track = decode_apart(song, tmp_path / "theirs.f32", Limits(60), nothing)

    assert (track.codec, track.sample_rate, track.frames) == (ours.codec, ours.sample_rate, ours.frames)
    assert np.array_equal(track.samples(), ours.samples())


@pytest.mark.parametrize(("data", "code"), [(b"no audio at all" * 99, "not_audio"), (b"", "not_audio")])
def test_errors_come_through(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        decode_apart(path, tmp_path / "spool", Limits(60), nothing)
    assert caught.value.code == code


def test_a_full_disk_is_no_fault_of_the_file(tmp_path: Path) -> None:
    song = write_sound(tmp_path / "song.flac", tone(1.0, 44100), 44100)
    with pytest.raises(TransientError) as caught:
        decode_apart(song, tmp_path / "spool", Limits(60, min_free_bytes=1 << 60), nothing)
    assert caught.value.code == "scratch_full"


def test_a_dead_decoder_is_one_files_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killer = tmp_path / "python"
    killer.write_text("#!/bin/sh\nread order\nkill -SEGV $$\n")
    killer.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(killer))
    with pytest.raises(UsageError) as caught:
        decode_apart(tmp_path / "any", tmp_path / "spool", Limits(60), nothing)
    assert (caught.value.code, "-11" in caught.value.detail) == ("decoder_died", True)


def test_a_job_that_is_over_ends_its_decoder(tmp_path: Path) -> None:
    song = write_sound(tmp_path / "song.flac", tone(5.0, 44100), 44100)

    def over() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode_apart(song, tmp_path / "spool", Limits(60), over)
