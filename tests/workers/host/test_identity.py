"""A process is known by its machine, its namespace, its id and its start, and nobody else is taken for it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.processes import wait_for
from workers.host.identity import has_ended, place, worker_name

SAY = "import os; from workers.host.identity import worker_name; print(worker_name(os.getpid()))"


def can_unshare() -> bool:
    command = ["unshare", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "true"]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


needs_namespaces = pytest.mark.skipif(not can_unshare(), reason="only root makes namespaces")


def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def shell(script: str, *arguments: str) -> tuple[str, ...]:
    return ("sh", "-ec", script, "sh", sys.executable, *arguments)


def test_a_process_is_dead_once_it_has_ended() -> None:
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    name = worker_name(child.pid)
    assert name.startswith(socket.gethostname())
    assert not has_ended(name)

    child.kill()
    wait_for("its end, although nobody has waited for it", lambda: has_ended(name))
    child.communicate()
    assert has_ended(name)
    assert not has_ended(worker_name(os.getpid()))


def test_another_users_process_lives() -> None:
    assert not has_ended(worker_name(1))


@needs_namespaces
def test_a_machine_of_the_same_name_is_another(tmp_path: Path) -> None:
    # given a machine with this one's host name and namespace, whose process has a pid that nobody has here
    other = tmp_path / "boot_id"
    other.write_text("11111111-2222-4333-8444-555555555555\n")
    script = 'mount --bind "$3" /proc/sys/kernel/random/boot_id; exec "$1" -c "$2"'
    theirs = said("unshare", "--mount", *shell(script, SAY, str(other)))
    ours = said(sys.executable, "-c", SAY)

    assert theirs.startswith(socket.gethostname())
    assert has_ended(ours)
    assert not has_ended(theirs)


@needs_namespaces
def test_containers_of_the_same_name_are_each_their_own() -> None:
    # given two containers that live at the same time, with the same pid in each
    script = 'hostname stems; exec "$1" -c "$2" "$3"'
    stay = f"{SAY[:-1]}, flush=True); input()"
    container = ("unshare", "--mount", "--uts", "--pid", "--fork", "--mount-proc")
    with subprocess.Popen(
        [*container, *shell(script, stay)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdin is not None
        name = first.stdout.readline().strip()
        ask = f"import sys; from workers.host.identity import has_ended; {SAY}; print(has_ended(sys.argv[1]))"
        second, ended = said(*container, *shell(script, ask, name)).split()
        here = has_ended(name)
        first.stdin.write("end\n")

    assert name.startswith("stems.")
    assert second.startswith("stems.")
    assert name.rpartition(":")[2] == second.rpartition(":")[2] == "1"
    assert (ended, here) == ("False", False)


@needs_namespaces
def test_a_host_name_that_changes_changes_nothing() -> None:
    script = 'hostname before; name=$("$1" -c "$2"); hostname after; "$1" -c "$3" "$name"'
    ask = "import sys; from workers.host.identity import has_ended; print(sys.argv[1], has_ended(sys.argv[1]))"
    name, ended = said("unshare", "--uts", *shell(script, SAY, ask)).split()

    assert (name.partition(".")[0], ended) == ("before", "True")


REUSED = """
    import subprocess, time
    from pathlib import Path
    from workers.host.identity import has_ended, worker_name

    def start(): return subprocess.Popen(["cat"], stdin=subprocess.PIPE)

    first, begun = start(), time.monotonic()
    while time.monotonic() < begun + 0.03: pass  # the kernel tells starts apart by ticks of 10 ms
    old = worker_name(first.pid)
    first.kill(); first.communicate()
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(first.pid - 1))
    second = start()
    assert second.pid == first.pid, (second.pid, first.pid)
    print(has_ended(old), has_ended(worker_name(second.pid)))
    second.kill(); second.communicate()
"""


@needs_namespaces
def test_a_pid_that_was_given_again_is_not_the_same_process() -> None:
    alone = ("unshare", "--mount", "--pid", "--fork", "--mount-proc")
    assert said(*alone, sys.executable, "-c", textwrap.dedent(REUSED)) == "True False"


def test_a_process_that_started_at_another_time_is_not_the_same() -> None:
    name, _, start = worker_name(os.getpid()).removesuffix(f":{os.getpid()}").rpartition(".")
    assert has_ended(f"{name}.{int(start) - 1}:{os.getpid()}")


def test_names_of_older_releases_and_of_others_are_left_to_time() -> None:
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    name = worker_name(child.pid)
    child.communicate()
    host = socket.gethostname()
    old = (f"{host}:{child.pid}", f"{host}.4026531836:{child.pid}", f"{host}.0:{child.pid}", "odd", "", ":", ".:.")
    assert has_ended(name)
    assert [each for each in old if has_ended(each)] == []


def fake_proc(folder: Path, boot: str, pids: str, clock: str | None = "time:[1]") -> Path:
    for part in ("sys/kernel/random", f"{os.getpid()}/ns"):
        (folder / part).mkdir(parents=True)
    (folder / "sys/kernel/random/boot_id").write_text(f"{boot}\n")
    (folder / "self").symlink_to(str(os.getpid()))
    (folder / "self/ns/pid").symlink_to(pids)
    if clock:
        (folder / "self/ns/time").symlink_to(clock)
    return folder


def test_a_place_is_a_boot_and_its_namespaces(tmp_path: Path) -> None:
    ways: list[tuple[str, str, str | None]] = [
        ("a", "pid:[1]", "time:[1]"),
        ("b", "pid:[1]", "time:[1]"),
        ("a", "pid:[2]", "time:[1]"),
        ("a", "pid:[1]", "time:[2]"),
        ("a", "pid:[1]", None),
    ]
    found = [place(fake_proc(tmp_path / str(number), *way)) for number, way in enumerate(ways)]

    assert len(set(found)) == len(ways)
    assert place(fake_proc(tmp_path / "again", "a", "pid:[1]")) == found[0]


def test_where_the_system_does_not_say_a_process_knows_only_itself(tmp_path: Path) -> None:
    nothing, foreign = tmp_path / "nothing", fake_proc(tmp_path / "foreign", "a", "pid:[1]")
    (foreign / "self").unlink()
    (foreign / "self").symlink_to(str(os.getpid() + 1))

    script = f"from pathlib import Path; from workers.host.identity import place; print(place(Path({str(nothing)!r})))"
    assert place(nothing) == place(foreign)
    assert said(sys.executable, "-c", script) != place(nothing)


def test_a_stopped_process_lives() -> None:
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    name = worker_name(child.pid)
    child.send_signal(signal.SIGSTOP)
    assert not has_ended(name)
    child.send_signal(signal.SIGCONT)
    child.communicate()
