"""The processes of a stack, which never outlive it."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from stemsvc.errors import StartFailed

T = TypeVar("T")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(number: int = signal.SIGTERM) -> None:  # pragma: no cover - runs between fork and exec
    """Have the kernel send this process the signal `number` when its parent dies. Only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


class StackProcess:
    """One process of a stack: its output goes to a log file, and SIGTERM, then SIGKILL stop it. It can start again."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.name = name
        self.command = command
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    def start(self) -> None:
        """Start the process."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=die_with_parent if sys.platform == "linux" else None,
            )
        self._started = time.monotonic()

    @property
    def pid(self) -> int:
        """The process id; only after `start`."""
        assert self._process is not None
        return self._process.pid

    def dead(self) -> int | None:
        """The exit code if the process has ended, else None."""
        return self._process.poll() if self._process else None

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._started

    def stop(self, grace: float) -> None:
        """Ask the process to stop, wait `grace` seconds, then kill it."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def tail(self, lines: int = 15) -> str:
        """The last `lines` lines of its log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:]) if self._log.exists() else ""


def wait_until(what: str, check: Callable[[], T | None], children: list[StackProcess], seconds: float) -> T:
    """Call `check` until it returns a value.

    Raises `FatalError` `start_failed`, with the log of a process that ended, or with all logs after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        result = check()
        if result:
            return result
        for child in children:
            if child.dead() is not None:
                raise StartFailed(f"{child.name} ended with code {child.dead()}:\n{child.tail()}")
        if time.monotonic() > deadline:
            logs = "\n".join(child.tail() for child in children)
            raise StartFailed(f"{what} took longer than {seconds:.0f} s:\n{logs}")
        time.sleep(0.05)
