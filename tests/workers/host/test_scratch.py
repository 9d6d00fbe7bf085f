"""Scratch folders: gone with their attempt, and those of the dead are swept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stemsvc.errors import TransientError
from stemsvc.host.folders import sweep
from tests.processes import wait_for
from workers.host.scratch import Scratch, check_room

HOLD = """
import sys, time
from pathlib import Path
from workers.host.scratch import Scratch
with Scratch(Path(sys.argv[1]), 0).reserve("job-1") as folder:
    (folder / "decoded.f32").write_bytes(bytes(1000))
    time.sleep(600)
"""


def test_a_folder_is_gone_with_its_attempt(tmp_path: Path) -> None:
    def attempt() -> None:
        with Scratch(tmp_path / "scratch", 0).reserve("job-1") as folder:
            (folder / "decoded.f32").write_bytes(bytes(1000))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        attempt()

    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_folder_of_a_killed_process_is_swept_and_of_a_living_one_not(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)])
    try:
        wait_for("the other process to write", lambda: list(tmp_path.glob("*/decoded.f32")))
        with Scratch(tmp_path, 0).reserve("mine") as mine:
            assert sweep(tmp_path) == 0
            process.kill()
            process.wait()
            assert sweep(tmp_path) == 1
            assert list(tmp_path.iterdir()) == [mine]
    finally:
        process.kill()
        process.wait()


def test_a_folder_without_a_lock_is_swept_when_it_is_old(tmp_path: Path) -> None:
    young, old = tmp_path / "young", tmp_path / "old"
    for folder in (young, old):
        folder.mkdir()
    os.utime(old, (0, 0))

    assert sweep(tmp_path) == 1
    assert list(tmp_path.iterdir()) == [young]
    assert sweep(tmp_path / "nothing here") == 0


def test_a_scratch_that_can_not_be_made_is_a_transient_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(TransientError) as caught, Scratch(tmp_path / "file" / "scratch", 0).reserve("job-1"):
        pass
    assert caught.value.code == "scratch_full"


@pytest.mark.parametrize(("least", "needed"), [(1 << 60, 0), (0, 1 << 60)])
def test_a_folder_is_refused_where_its_files_would_not_fit(tmp_path: Path, least: int, needed: int) -> None:
    with pytest.raises(TransientError) as caught, Scratch(tmp_path, least).reserve("job-1", needed):
        pass
    assert caught.value.code == "scratch_full"
    assert list(tmp_path.iterdir()) == []


def test_a_disk_with_too_little_room_is_said_to_be_full(tmp_path: Path) -> None:
    check_room(tmp_path, 1)
    with pytest.raises(TransientError) as caught:
        check_room(tmp_path, 1 << 60)

    assert caught.value.code == "scratch_full"
