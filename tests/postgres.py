"""A PostgreSQL that stops answering, without closing a connection."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


@contextmanager
def frozen(url: str) -> Iterator[None]:
    """Stop every process of the server that serves this database, as a machine does that hangs; go on at the end."""
    with psycopg.connect(url) as connection:
        postmaster = _parent(connection.info.backend_pid)
    stopped = []
    try:
        for pid in (postmaster, *_children(postmaster)):
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)
        yield
    finally:
        for pid in reversed(stopped):
            os.kill(pid, signal.SIGCONT)


def _children(parent: int) -> list[int]:
    pids = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    return [pid for pid in pids if _parent(pid) == parent]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has just ended
        return 0
