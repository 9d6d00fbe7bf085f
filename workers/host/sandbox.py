"""Runs work on strangers' files in a child process. Its death fails only one job, and it gets no secrets of ours."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol, TypeVar

from stemsvc.embedded.processes import die_with_parent
from stemsvc.observe.loggers import get_logger

T = TypeVar("T")
LOOK_SECONDS = 0.5
GRACE_SECONDS = 10.0  # for a child that has closed its output to end
# the variables that a child process gets: no settings and no credentials
PASSED = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR", "COVERAGE_PROCESS_CONFIG")


class ChildDied(Exception):
    """Raised when a child process ends without an answer. `code` is its exit status, or minus the signal's number."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the child process ended with {code}")
        self.code = code


class Child(Protocol):
    """A child process that runs `main` of a module, with no settings and no credentials of ours."""

    order: IO[bytes]  # its input
    answer: IO[bytes]  # its output
    log: Path

    def wait(self, seconds: float) -> int:
        """Let it end by itself for some seconds, then `end` it. Returns its exit status."""

    def end(self) -> int:
        """Kill it and the processes that it started. Returns its exit status, or minus the signal's number."""


def talk(
    module: str,
    order: str,
    folder: Path,
    on_line: Callable[[str], T | None],
    on_tick: Callable[[], None],
    start: Callable[[str, Path], Child] | None = None,
) -> T:
    """Run `main` of `module` in a child process that `start` starts, with `order` as the only line of its input.

    `on_line` gets each line of its output. The first result that is not None is returned, and the child process is
    ended. `on_tick` is called at least twice a second. What `on_line` or `on_tick` raises ends the child process.
    Raises `ChildDied`.
    """
    child = (start or spawn)(module, folder)
    try:
        try:
            with child.order as pipe:
                pipe.write(order.encode() + b"\n")
        except BrokenPipeError as error:  # it ended before it had read its order
            raise ChildDied(child.wait(GRACE_SECONDS)) from error
        found = _heard(child.answer.fileno(), on_line, on_tick)
        if found is not None:
            return found
        code = child.wait(GRACE_SECONDS)
        get_logger().warning("child process ended without an answer", module=module, code=code, said=_tail(child.log))
        raise ChildDied(code)
    finally:
        child.end()


def spawn(module: str, folder: Path) -> Child:
    """Start `python -m module` in a child process whose home is `folder`."""
    return _Spawned(module, folder)


def passed_environment(**changes: str) -> dict[str, str]:
    """The variables that a child process gets."""
    from stemsvc.host.environment import process_environment

    return {**{name: value for name, value in process_environment().items() if name in PASSED}, **changes}


class _Spawned:
    """A child that is a process of its own from its first instruction."""

    def __init__(self, module: str, folder: Path) -> None:
        self.log = folder / f".{module}.log"
        with self.log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=passed_environment(HOME=str(folder), TMPDIR=str(folder)),
                start_new_session=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.order, self.answer = self._process.stdin, self._process.stdout

    def wait(self, seconds: float) -> int:
        """See the protocol."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self.end()

    def end(self) -> int:
        """See the protocol."""
        if not self.answer.closed:  # else it is ended, and its number may be another's by now
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            for file in (self.order, self.answer):
                with contextlib.suppress(BrokenPipeError):  # an order that it did not read
                    file.close()
        return self._process.wait()


def be_child() -> str:
    """In the child process: make sure that it ends with its parent, then return the order."""
    parent = os.getppid()
    die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:  # the parent died before we asked
        sys.exit(1)
    return sys.stdin.readline()


def _heard(pipe: int, on_line: Callable[[str], T | None], on_tick: Callable[[], None]) -> T | None:
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            on_tick()
            if not selector.select(LOOK_SECONDS):
                continue
            part = os.read(pipe, 1 << 16)
            if not part:
                return None
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                if (found := on_line(line.decode(errors="replace"))) is not None:
                    return found


def _tail(path: Path) -> str:
    try:
        return path.read_bytes()[-2000:].decode(errors="replace")
    except OSError:
        return ""
