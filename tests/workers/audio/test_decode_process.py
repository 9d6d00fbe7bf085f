"""Decoding in a child: the same track, the same errors, and a file that ends its decoder ends nothing else."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from stemsvc.errors import TransientError, UsageError
from tests.sounds import tone, write_sound
from workers.audio.decode import Limits, decode
from workers.audio.decode_process import decode_apart
from workers.host.fork_server import server_of


def nothing() -> None:
    pass


def children_of(pid: int | None) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()] if pid else []


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


def test_a_dead_decoder_is_one_files_failure(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # a decoder that opens it waits for somebody to write

    def crash() -> None:
        for child in children_of(server_of("workers.audio.decode_process", os.getpid()).pid):
            os.kill(child, signal.SIGSEGV)

    with pytest.raises(UsageError) as caught:
        decode_apart(pipe, tmp_path / "spool", Limits(60), crash)
    assert (caught.value.code, "-11" in caught.value.detail) == ("decoder_died", True)
    song = write_sound(tmp_path / "song.flac", tone(1.0, 44100), 44100)
    assert decode_apart(song, tmp_path / "spool", Limits(60), nothing).frames == 44100


def test_a_job_that_is_over_ends_its_decoder(tmp_path: Path) -> None:
    song = write_sound(tmp_path / "song.flac", tone(5.0, 44100), 44100)

    def over() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode_apart(song, tmp_path / "spool", Limits(60), over)
