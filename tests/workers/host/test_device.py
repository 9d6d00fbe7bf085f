"""Turns at a device: one at a time, over processes, and never lost with one that dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stemsvc.host.folders import private
from stemsvc.jobs.record import Lease
from tests.processes import wait_for
from workers.host import device
from workers.host.device import DeviceTurns

HOLD = """
import sys, time
from pathlib import Path
from workers.host.device import DeviceTurns
from stemsvc.jobs.record import Lease
with DeviceTurns(Path(sys.argv[1]), "cpu", 1).turn(Lease("frozen", 1, "w"), lambda: None) as turn:
    Path(sys.argv[2]).touch()
    while True:
        turn.beat()
        time.sleep(0.05)
"""


MINE = Lease("mine", 1, "w")


class Enough(Exception):
    pass


def taken(folder: Path, device: str = "cpu", slots: int = 1) -> bool:
    """Whether a turn would have to wait."""

    def waiting() -> None:
        raise Enough

    try:
        with DeviceTurns(folder, device, slots).turn(MINE, waiting):
            return False
    except Enough:
        return True


def test_a_device_has_one_turn_and_others_wait(tmp_path: Path) -> None:
    with DeviceTurns(tmp_path, "cpu", 1).turn(MINE, lambda: None):
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
    with pytest.raises(ZeroDivisionError), DeviceTurns(tmp_path, "cpu", 1).turn(MINE, lambda: None):
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


@pytest.fixture
def holding(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the device and shows that it lives."""
    flag = tmp_path / "holding"
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path), str(flag)])
    try:
        wait_for("the other process to hold the device", flag.exists)
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_frozen_process_whose_job_is_no_longer_its_own_loses_the_device(
    tmp_path: Path, holding: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(device, "FROZEN_SECONDS", 0.5)
    asked: list[Lease] = []

    def is_held(lease: Lease) -> bool:
        asked.append(lease)
        return len(asked) < 3  # its lease runs out while somebody waits

    os.kill(holding.pid, signal.SIGSTOP)
    with DeviceTurns(tmp_path, "cpu", 1).turn(MINE, lambda: None, is_held):
        assert asked == [Lease("frozen", 1, "w")] * 3
        assert holding.wait(10) == -signal.SIGKILL


def test_a_process_that_shows_that_it_lives_keeps_the_device(
    tmp_path: Path, holding: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(device, "FROZEN_SECONDS", 5.0)
    until = time.monotonic() + 1.0

    def waiting() -> None:
        if time.monotonic() > until:
            raise Enough

    with pytest.raises(Enough), DeviceTurns(tmp_path, "cpu", 1).turn(MINE, waiting, lambda lease: False):
        pass
    assert holding.poll() is None


def test_a_pid_that_another_process_has_now_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(device, "FROZEN_SECONDS", 0.0)
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        with DeviceTurns(tmp_path, "cpu", 1).turn(MINE, lambda: None):
            said = json.loads((tmp_path / "cpu-0.lock").read_text())
            name = said["name"].rpartition(":")[0]
            said |= {"pid": bystander.pid, "name": f"{name}:{bystander.pid}"}
            (tmp_path / "cpu-0.lock").write_text(json.dumps(said))
            until = time.monotonic() + 0.5

            def waiting() -> None:
                if time.monotonic() > until:
                    raise Enough

            with pytest.raises(Enough), DeviceTurns(tmp_path, "cpu", 1).turn(MINE, waiting, lambda lease: False):
                pass
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
