"""Locks: one process has them, who inherits a descriptor too, and the death of the last one frees them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stemsvc.host.locks import descriptor_flags, take

HOLD = """
import os, sys
from stemsvc.host.locks import descriptor_flags, take
take(os.open(sys.argv[1], descriptor_flags(os.O_RDWR | os.O_CREAT)), shared=sys.argv[2] == "shared")
print("locked", flush=True)
sys.stdin.read()
"""


def holder(path: Path, how: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def opened(path: Path) -> int:
    return os.open(path, descriptor_flags(os.O_RDWR | os.O_CREAT))


def test_a_lock_is_of_one_process_until_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    process = holder(path, "alone")
    mine = opened(path)
    with pytest.raises(BlockingIOError):
        take(mine)
    with pytest.raises(BlockingIOError):
        take(mine, shared=True)

    process.kill()
    process.communicate()

    take(mine, wait=True)
    assert os.read(mine, 9) == b""  # a locked file can be read
    os.close(mine)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no shared locks")
def test_shared_locks_keep_only_others_out(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    process = holder(path, "shared")
    mine, other = opened(path), opened(path)
    take(mine, shared=True)
    with pytest.raises(BlockingIOError):
        take(other)
    process.kill()
    process.communicate()
    os.close(mine)
    take(other)
    os.close(other)
