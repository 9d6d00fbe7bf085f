"""The name of a worker process, by which another process can tell that it has ended.

A process id means something only in its pid namespace, while the kernel that gave it runs. So a name has an id of that
place beside the host's name, which two machines or containers may share. A kernel makes its boot id at random at each
start: machines of one image differ in it, unlike in `/etc/machine-id`. Containers of one machine share it, and differ
in their namespace. A process id is given again after its process has ended, so a name has its process's start too.
Nothing tells two copies of a machine apart that were resumed from one snapshot of its memory. But those share the
leases too, and the fencing token lets only one of them write.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import secrets
import socket
from pathlib import Path

PROC = Path("/proc")
ENDED = ("Z", "X", "x")  # states of a process that runs no more, and that its parent may not have waited for yet
_NAME = re.compile(r".*\.([0-9a-f]{16})\.(\d+):(\d+)")  # release 0.2 wrote `host:pid`, which no process ends


def worker_name(pid: int) -> str:
    """The name of a living process of ours in leases and timelines. No other process ever has the same."""
    stat = _stat(pid)
    return f"{socket.gethostname()}.{here()}.{stat[1] if stat else 0}:{pid}"


def has_ended(name: str) -> bool:
    """Whether the process of that name ran here and runs no more.

    False also where that can't be known: of other machines and containers, of names that an older release wrote, and
    on systems without Linux' /proc.
    """
    found = _NAME.fullmatch(name)
    if found is None or found[1] != here():
        return False
    start, pid = found[2], int(found[3])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # somebody else's process has this pid
        pass
    stat = _stat(pid)  # None too where /proc hides other users' processes
    return stat is not None and (stat[0] in ENDED or stat[1] != start)


def lives(name: str) -> bool:
    """Whether the process of that name runs here; False where that can't be known."""
    found = _NAME.fullmatch(name)
    if found is None or found[1] != here():
        return False
    stat = _stat(int(found[3]))
    return stat is not None and stat[0] not in ENDED and stat[1] == found[2]


def place(proc: Path) -> str:
    """An id of the kernel's run and of the namespaces in which pids and starts mean the same as to this process.

    It is this process's own random id where `proc` doesn't say, so that it is taken for no other place.
    """
    try:
        if (proc / "self").readlink() != Path(str(os.getpid())):  # the /proc of another namespace
            return _own()
        facts = [(proc / "sys/kernel/random/boot_id").read_text().strip()]
        facts.append(str((proc / "self/ns/pid").readlink()))
    except OSError:
        return _own()
    clock = proc / "self/ns/time"  # shifts the starts; Linux has it since 5.6
    facts.append(str(clock.readlink()) if clock.is_symlink() else "")
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


@functools.cache
def here() -> str:
    """The id of the place of this process; see `place`."""
    return place(PROC)


@functools.cache
def _own() -> str:
    return secrets.token_hex(8)


def _stat(pid: int) -> tuple[str, str] | None:
    """A process's state, and its start in clock ticks since the kernel's (proc_pid_stat(5)); None if unknown."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the program's name before may hold anything
    return fields[0], fields[19]
