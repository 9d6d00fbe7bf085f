"""Jobs on one machine take turns on its device: one computes while the others decode, encode and upload."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from stemsvc.folders import open_shared

POLL_SECONDS = 0.02


class DeviceTurns:
    """The right to compute on `device`, shared by all worker processes of this machine that use the same folder.

    Each of the `slots` is a lock on a file: the kernel releases it when its process dies, however it dies. A folder
    that several users may write to, such as one of mode 1777 that an operator linked there, serves all their workers.
    """

    def __init__(self, folder: Path, device: str, slots: int) -> None:
        self._paths = [folder / f"{device.replace(':', '-')}-{slot}.lock" for slot in range(slots)]

    @contextlib.contextmanager
    def turn(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the device. `waiting` is called again and again until a slot is free; what it raises ends the wait."""
        file = self._take()
        while file is None:
            waiting()
            time.sleep(POLL_SECONDS)
            file = self._take()
        try:
            yield
        finally:
            os.close(file)

    def _take(self) -> int | None:
        for path in self._paths:
            file = open_shared(path)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(file)
            else:
                return file
        return None
