"""Scratch folders of attempts. Each is deleted with its attempt; the next attempt deletes a killed worker's."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stemsvc.errors import ScratchFull
from stemsvc.host.folders import LOCK, sweep


@dataclass(frozen=True)
class Scratch:
    """The scratch disk's folder `base`, and the bytes of that disk that stay free."""

    base: Path
    min_free_bytes: int

    @contextlib.contextmanager
    def reserve(self, name: str, bytes: int = 0) -> Iterator[Path]:
        """A new folder with room for `bytes`, locked while in use and deleted afterwards.

        Folders of processes that have died are deleted first. Raises `TransientError` `scratch_full`.
        """
        sweep(self.base)
        try:
            self.base.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.base))
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ScratchFull(f"the scratch disk can't be written: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            check_room(folder, bytes + self.min_free_bytes)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def check_room(folder: Path, bytes: int) -> None:
    """Raise `TransientError` `scratch_full` if fewer than `bytes` are free on the folder's disk."""
    free = shutil.disk_usage(folder).free
    if free < bytes:
        detail = f"{free >> 20} MB are free on the scratch disk, {bytes >> 20} MB are needed"
        raise ScratchFull(detail)
