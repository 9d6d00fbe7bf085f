"""Local processes behind the few methods that pytest-celery asks of a container.

`CeleryTestBroker` and `CeleryTestWorker` accept any such object, so the same tests can run on containers where
there is a Docker engine: hand the nodes containers instead of `LocalProcess`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from stemsvc.embedded.processes import StackProcess

T = TypeVar("T")


def wait_for(what: str, check: Callable[[], T | None], seconds: float = 60.0) -> T:
    """Poll until `check` returns something true; fails the test by name when it does not."""
    deadline = time.monotonic() + seconds
    while not (result := check()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.05)
    return result


def stemsvc(*arguments: str) -> list[str]:
    """The command line of our own program."""
    return [sys.executable, "-m", "stemsvc", *arguments]


def plain_environment(**changes: str) -> dict[str, str]:
    """This process's environment without any setting of ours, plus `changes`."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith("STEMSVC_")}, **changes}


class LocalProcess:
    """A process with a container's face."""

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: dict[str, str],
        folder: Path,
        is_ready: Callable[[LocalProcess], bool],
        url: str = "",
    ) -> None:
        self.name = name
        self.id = f"{name}-{os.getpid()}"
        self._url = url
        self._log = folder / f"{name}.log"
        self._child = StackProcess(name, command, environment, self._log)
        self._is_ready = is_ready
        self._child.start()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def status(self) -> str:
        return "running" if self._child.dead() is None else "exited"

    @property
    def celeryconfig(self) -> dict[str, Any]:
        return {"url": self._url, "host_url": self._url, "local_url": self._url}

    def ready(self) -> bool:
        def check() -> bool:
            assert self.status == "running", f"{self.name} ended:\n{self.logs()}"
            return self._is_ready(self)

        try:
            return wait_for(f"{self.name} to be ready", check, 90)
        except BaseException:
            self.teardown()  # the fixture that asked never comes to its own end
            raise

    def logs(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def kill(self, signal: str | int = "SIGKILL") -> None:
        os.kill(self.pid, _number(signal))
        wait_for(f"{self.name} to end", lambda: self.status == "exited")

    def start(self) -> None:
        self._child.start()

    def restart(self, timeout: float = 60) -> None:
        self._child.stop(timeout)
        self.start()
        self.ready()

    def reload(self) -> None:
        """A process has no cached state to refresh."""

    def teardown(self) -> None:
        self._child.stop(45)


def _number(name: str | int) -> int:
    return name if isinstance(name, int) else int(signal.Signals[name])
