"""Children of a fork server: each apart from all others and from us, and none left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.processes import wait_for
from workers.host import sandbox
from workers.host.fork_server import ForkServer
from workers.host.sandbox import Child, ChildDied, spawn, talk

MODULE = "tests.workers.host.small_child"
Start = Callable[[str, Path], Child]
Say = Callable[[str], Any]

PARENT = f"""
import os, sys, time
from pathlib import Path
from workers.host.fork_server import ForkServer
from workers.host.sandbox import talk
server, folder = ForkServer({MODULE!r}), Path(sys.argv[1])
start = lambda module, folder: server.start(folder)
def told(line):
    print(server.pid, line, flush=True)
talk({MODULE!r}, "hang", folder, told, lambda: None, start)
"""


class Over(Exception):
    pass


def nothing() -> None:
    pass


def alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def server() -> Iterator[ForkServer]:
    server = ForkServer(MODULE)
    yield server
    server.close()


@pytest.fixture(params=["fork", "spawn"])
def start(request: pytest.FixtureRequest, server: ForkServer) -> Start:
    return spawn if request.param == "spawn" else lambda module, folder: server.start(folder)


@pytest.fixture
def say(start: Start, tmp_path: Path) -> Say:
    return lambda order: talk(MODULE, order, tmp_path, json.loads, nothing, start)


def test_each_child_is_a_fork_of_one_that_has_loaded_the_module(server: ForkServer, tmp_path: Path) -> None:
    def told(_: int) -> dict[str, Any]:
        return talk(MODULE, "tell", tmp_path, json.loads, nothing, lambda module, folder: server.start(folder))

    first, second = told(0), told(0)
    assert first["pid"] != second["pid"]
    assert first["loaded_by"] == second["loaded_by"] == server.pid
    with ThreadPoolExecutor(8) as threads:
        many = list(threads.map(told, range(40)))
    assert len({each["pid"] for each in many}) == len(many)
    assert {each["loaded_by"] for each in many} == {server.pid}
    assert Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text() == ""  # no zombies
    assert len(list(Path(f"/proc/{server.pid}/fd").iterdir())) == 4


def test_a_child_lives_in_its_folder_without_what_we_know(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEMSVC_S3_SECRET_KEY", "secret")
    found = say("tell")
    assert (found["home"], found["files"]) == (str(tmp_path), str(tmp_path))
    assert set(found["names"]) <= {*sandbox.PASSED, "HOME", "TMPDIR", "LC_CTYPE", "PWD"}
    assert found["session"] == found["pid"] != os.getsid(0)


@pytest.mark.parametrize(("order", "code"), [("crash", -signal.SIGSEGV), ("leave", 3), ("fail", 1), ("nothing", 0)])
def test_a_death_without_an_answer_is_told_and_the_next_child_lives(
    say: Say, tmp_path: Path, order: str, code: int
) -> None:
    with pytest.raises(ChildDied) as caught:
        say(order)
    assert caught.value.code == code
    assert ("it failed" in (tmp_path / f".{MODULE}.log").read_text()) is (order == "fail")
    assert say("tell")["home"] == str(tmp_path)


def test_a_child_that_closes_its_output_and_lives_is_ended(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "GRACE_SECONDS", 0.3)
    with pytest.raises(ChildDied) as caught:
        say("close")
    assert caught.value.code == -signal.SIGKILL


def test_what_a_listener_raises_ends_the_child_and_its_own_children(start: Start, tmp_path: Path) -> None:
    told: dict[str, int] = {}

    def on_line(line: str) -> None:
        told.update(json.loads(line))

    def on_tick() -> None:
        if told:
            raise Over

    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(Over):
        talk(MODULE, "hang", tmp_path, on_line, on_tick, start)
    assert not alive(told["pid"])
    wait_for("the end of its child", lambda: not alive(told["other"]))
    assert len(set(Path("/proc/self/fd").iterdir()) - before) <= 1  # the server's socket


def test_a_child_that_is_not_heard_yet_can_be_ended(server: ForkServer, tmp_path: Path) -> None:
    child = server.start(tmp_path)
    assert child.end() == child.end() == -signal.SIGKILL


def test_an_order_that_was_followed_before_harms_nobody(server: ForkServer, tmp_path: Path) -> None:
    # given a child that was ended while an exception hid it from us
    child = server.start(tmp_path)
    first = server.pid
    assert server.ask("end", child._number, first or 0) == -signal.SIGKILL

    assert child.wait(1) == os.EX_OSERR

    assert server.pid == first
    assert talk(MODULE, "tell", tmp_path, json.loads, nothing, lambda _, folder: server.start(folder))


def test_a_server_that_dies_takes_its_child_along_and_another_serves(server: ForkServer, tmp_path: Path) -> None:
    told: dict[str, int] = {}

    def on_line(line: str) -> None:
        told.update(json.loads(line))
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)

    def forked(module: str, folder: Path) -> Child:
        return server.start(folder)

    with pytest.raises(ChildDied) as caught:
        talk(MODULE, "hang", tmp_path, on_line, nothing, forked)
    assert caught.value.code == -signal.SIGKILL
    os.kill(told["other"], signal.SIGKILL)
    wait_for("the child's end", lambda: not alive(told["pid"]))  # the kernel kills it, after the server has gone
    first = talk(MODULE, "tell", tmp_path, json.loads, nothing, forked)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    wait_for("the server's end", lambda: not alive(first["loaded_by"]))
    assert talk(MODULE, "tell", tmp_path, json.loads, nothing, forked)["loaded_by"] == server.pid != first["loaded_by"]


def test_a_server_that_can_not_load_its_module_is_a_death(tmp_path: Path) -> None:
    server = ForkServer("workers.no_such_module")
    for _ in range(2):
        with pytest.raises(ChildDied) as caught:
            talk(
                "workers.no_such_module", "tell", tmp_path, json.loads, nothing, lambda _, folder: server.start(folder)
            )
        assert caught.value.code == 1
    assert server.close() in (0, 1)


def test_a_signal_to_all_processes_of_a_machine_leaves_the_work_to_its_parent(
    server: ForkServer, tmp_path: Path
) -> None:
    def on_line(line: str) -> bool:
        assert server.pid is not None
        for pid in (json.loads(line)["pid"], server.pid):
            os.kill(pid, signal.SIGTERM)
        time.sleep(0.2)
        return alive(json.loads(line)["pid"]) and alive(server.pid)

    assert talk(MODULE, "hang", tmp_path, on_line, nothing, lambda module, folder: server.start(folder))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_and_its_children_end_with_their_parent(tmp_path: Path, number: int) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, tmp_path], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        server, _, line = parent.stdout.readline().partition(" ")
    parent.send_signal(number)
    parent.wait()
    wait_for("the end of all", lambda: not any(alive(pid) for pid in (int(server), *json.loads(line).values())))
