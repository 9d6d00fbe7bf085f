"""Turns at a device: one at a time, over processes, and never lost with one that dies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stemsvc.folders import private
from tests.processes import wait_for
from workers.host.device import DeviceTurns

HOLD = """
import sys, time
from pathlib import Path
from workers.host.device import DeviceTurns
with DeviceTurns(Path(sys.argv[1]), "cpu", 1).turn(lambda: None):
    Path(sys.argv[2]).touch()
    time.sleep(600)
"""


class Enough(Exception):
    pass


def taken(folder: Path, device: str = "cpu", slots: int = 1) -> bool:
    """Whether a turn would have to wait."""

    def waiting() -> None:
        raise Enough

    try:
        with DeviceTurns(folder, device, slots).turn(waiting):
            return False
    except Enough:
        return True


def test_a_device_has_one_turn_and_others_wait(tmp_path: Path) -> None:
    with DeviceTurns(tmp_path, "cpu", 1).turn(lambda: None):
        assert taken(tmp_path)
        assert not taken(tmp_path, "cuda:0")
        assert not taken(tmp_path, slots=2)
    assert not taken(tmp_path)


def test_workers_of_several_users_take_turns_where_a_folder_is_for_all(tmp_path: Path) -> None:
    own, everybodys = tmp_path / "own", tmp_path / "everybodys"
    everybodys.mkdir()
    everybodys.chmod(0o1777)
    with private():
        for folder in (own / "devices", everybodys):
            assert not taken(folder)

    (lock,) = everybodys.iterdir()
    assert lock.stat().st_mode & 0o777 == 0o666
    (lock,) = (own / "devices").iterdir()
    assert lock.stat().st_mode & 0o777 == 0o600


def test_what_ends_the_wait_leaves_the_turn_to_others(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), DeviceTurns(tmp_path, "cpu", 1).turn(lambda: None):
        raise ZeroDivisionError
    assert not taken(tmp_path)


def test_a_process_that_is_killed_gives_its_turn_back(tmp_path: Path) -> None:
    flag = tmp_path / "holding"
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path), str(flag)])
    try:
        wait_for("the other process to hold the device", flag.exists)
        assert taken(tmp_path)
    finally:
        process.kill()
        process.wait()
    assert not taken(tmp_path)
