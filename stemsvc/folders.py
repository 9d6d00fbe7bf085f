"""Folders of one process each: a lock shows that the process is alive. Folders of dead processes are removed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from pathlib import Path

LOCK = ".lock"
YOUNG_SECONDS = 60.0  # a younger folder may not have its lock yet


def sweep(base: Path) -> int:
    """Remove the folders of dead processes; returns how many. The kernel frees the lock of a dead process."""
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
