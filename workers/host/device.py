"""Jobs on one machine take turns on its device: one computes while the others decode, encode and upload."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from stemsvc.host.folders import open_shared
from stemsvc.jobs.record import Lease
from stemsvc.observe.loggers import get_logger
from workers.host.identity import lives, worker_name

log = get_logger()
POLL_SECONDS = 0.005  # a look takes a hundredth of that
LOOK_SECONDS = 2.0  # between two looks at who holds the device
FROZEN_SECONDS = 10.0  # without a sign from a process that gives one each second


@dataclass(frozen=True)
class Holder:
    """The process that holds a device, by its pid and its name, and the lease of the job that it computes."""

    pid: int
    name: str
    lease: Lease

    @classmethod
    def of(cls, lease: Lease) -> Holder:
        """This process."""
        return cls(os.getpid(), worker_name(os.getpid()), lease)


@dataclass(frozen=True)
class Turn:
    """The device, while this process holds it."""

    file: int

    def beat(self) -> None:
        """Show those who wait that this process is not frozen."""
        with contextlib.suppress(OSError):
            os.utime(self.file)


class DeviceTurns:
    """The right to compute on `device`, shared by all worker processes of this machine that use the same folder.

    Each of the `slots` is a lock on a file: the kernel releases it when its process dies, however it dies. The file
    names its holder. A holder that shows no sign of life, and whose job is no longer its own, is killed by those who
    wait: a frozen process would keep the device for ever. A folder that several users may write to, such as one of
    mode 1777 that an operator linked there, serves all their workers.
    """

    def __init__(self, folder: Path, device: str, slots: int) -> None:
        self._paths = [folder / f"{device.replace(':', '-')}-{slot}.lock" for slot in range(slots)]

    @contextlib.contextmanager
    def turn(
        self, lease: Lease, waiting: Callable[[], None], is_held: Callable[[Lease], bool] = lambda lease: True
    ) -> Iterator[Turn]:
        """Hold the device. `waiting` is called again and again until a slot is free; what it raises ends the wait.

        `is_held` says whether a holder's lease is still valid.
        """
        file = self._take()
        look = time.monotonic() + LOOK_SECONDS
        while file is None:
            waiting()
            time.sleep(POLL_SECONDS)
            if time.monotonic() >= look:
                self._end_frozen(is_held)
                look = time.monotonic() + LOOK_SECONDS
            file = self._take()
        try:
            _write(file, Holder.of(lease))
            yield Turn(file)
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

    def _end_frozen(self, is_held: Callable[[Lease], bool]) -> None:
        for path in self._paths:
            holder = _read(path)
            if holder is None or holder.pid == os.getpid() or not lives(holder.name):
                continue
            if time.time() - path.stat().st_mtime > FROZEN_SECONDS and not is_held(holder.lease):
                log.error("killing a frozen process that holds the device", pid=holder.pid, held_by=holder.lease.job_id)
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(holder.pid, signal.SIGKILL)


def _write(file: int, holder: Holder) -> None:
    with contextlib.suppress(OSError):  # a full disk is no reason not to compute
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(asdict(holder)).encode(), 0)


def _read(path: Path) -> Holder | None:
    """Who holds it, as far as the file says; it may be empty, or name an earlier holder."""
    try:
        found = json.loads(path.read_bytes())
        return Holder(found["pid"], found["name"], Lease(**found["lease"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
