"""Scratch folders of attempts: gone with the attempt, and with a killed worker's at the next one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from stemsvc.errors import TransientError

LOCK = ".lock"
YOUNG_SECONDS = 60.0  # a folder without a lock may be that new


@contextlib.contextmanager
def scratch_folder(base: Path, name: str) -> Iterator[Path]:
    """A new folder in `base`, locked while in use. Raises `TransientError` `scratch_full`."""
    try:
        base.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=base))
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise TransientError("scratch_full", f"the scratch disk refuses: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def check_room(folder: Path, bytes: int) -> None:
    """Raise `TransientError` `scratch_full` where fewer bytes than these are free on the folder's disk."""
    free = shutil.disk_usage(folder).free
    if free < bytes:
        detail = f"{free >> 20} MB are free on the scratch disk, {bytes >> 20} MB are needed"
        raise TransientError("scratch_full", detail)


def sweep(base: Path) -> int:
    """Remove the folders of processes that are dead; returns how many. The kernel frees the lock of a dead process."""
    return sum(_remove_if_dead(folder) for folder in base.iterdir() if folder.is_dir()) if base.is_dir() else 0


def _remove_if_dead(folder: Path) -> bool:
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > YOUNG_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
                return True
        return False
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        shutil.rmtree(folder, ignore_errors=True)
        return True
    finally:
        os.close(lock)
