"""Work on what strangers send, in a child process: its death is one job's failure, and it gets nothing of ours."""

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

T = TypeVar("T")
LOOK_SECONDS = 0.5
# no settings and no credentials
PASSED = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR", "COVERAGE_PROCESS_CONFIG")


class ChildDied(Exception):
    """Raised when a child ends without an answer; `code` is its exit status, below zero a signal's number."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the child ended with {code}")
        self.code = code


def talk(
    module: str, order: str, folder: Path, on_line: Callable[[str], T | None], on_tick: Callable[[], None]
) -> T:  # fmt: skip
    """Run `python -m module` with `order` as its input's one line until `on_line` makes something of a line of its.

    `on_tick` is called at least twice a second; what it or `on_line` raises ends the child. Raises `ChildDied`.
    """
    import structlog  # here, for a child imports this module too, and is to start at once

    from stemsvc.settings import process_environment

    environment = {name: value for name, value in process_environment().items() if name in PASSED}
    output = folder / f".{module}.log"
    with output.open("wb") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            env={**environment, "HOME": str(folder), "TMPDIR": str(folder)}, start_new_session=True,
        )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        with child.stdin as pipe:
            pipe.write(order.encode() + b"\n")
        found = _heard(child.stdout.fileno(), on_line, on_tick)
        if found is not None:
            return found
        code = child.wait(10)
        structlog.get_logger().warning("a child ended without an answer", module=module, code=code, said=_tail(output))
        raise ChildDied(code)
    except BrokenPipeError as error:  # it ended before it had read its order
        raise ChildDied(child.wait(10)) from error
    finally:
        _end(child)


def be_child() -> str:
    """In the child: end with the parent, and return the order."""
    parent = os.getppid()
    die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:  # it died before we had asked
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
    """End it and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdout is not None:
        child.stdout.close()
