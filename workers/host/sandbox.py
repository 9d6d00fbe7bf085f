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
from typing import TypeVar

from stemsvc.embedded.processes import die_with_parent
from stemsvc.observe.loggers import get_logger

T = TypeVar("T")
LOOK_SECONDS = 0.5
# the variables that a child process gets: no settings and no credentials
PASSED = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR", "COVERAGE_PROCESS_CONFIG")


class ChildDied(Exception):
    """Raised when a child process ends without an answer. `code` is its exit status, or minus the signal's number."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the child process ended with {code}")
        self.code = code


def talk(module: str, order: str, folder: Path, on_line: Callable[[str], T | None], on_tick: Callable[[], None]) -> T:
    """Run `python -m module` in a child process, with `order` as the only line of its input.

    `on_line` gets each line of its output. The first result that is not None is returned, and the child process is
    ended. `on_tick` is called at least twice a second. What `on_line` or `on_tick` raises ends the child process.
    Raises `ChildDied`.
    """

    from stemsvc.host.environment import process_environment

    environment = {name: value for name, value in process_environment().items() if name in PASSED}
    output = folder / f".{module}.log"
    with output.open("wb") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**environment, "HOME": str(folder), "TMPDIR": str(folder)},
            start_new_session=True,
        )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        with child.stdin as pipe:
            pipe.write(order.encode() + b"\n")
        found = _heard(child.stdout.fileno(), on_line, on_tick)
        if found is not None:
            return found
        code = child.wait(10)
        get_logger().warning("child process ended without an answer", module=module, code=code, said=_tail(output))
        raise ChildDied(code)
    except BrokenPipeError as error:  # it ended before it had read its order
        raise ChildDied(child.wait(10)) from error
    finally:
        _end(child)


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


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child process and the processes that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdout is not None:
        child.stdout.close()
