"""A running api, with the memory and the CPU that its processes take."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from stemsvc.embedded.ports import free_port
from stemsvc.embedded.processes import StackProcess, wait_until
from stemsvc.embedded.redis_server import RedisServer
from stemsvc.settings import Settings


@dataclass(frozen=True)
class Api:
    """A running api."""

    host: str
    port: int
    pid: int

    @property
    def url(self) -> str:
        """The api's base URL."""
        return f"http://{self.host}:{self.port}"

    def memory(self) -> int:
        """Bytes of memory that the api's processes hold together."""
        return sum(_held(pid) for pid in _family(self.pid))

    def cpu(self) -> float:
        """Seconds of CPU that the api's processes have taken so far."""
        return sum(_used(pid) for pid in _family(self.pid))


@contextlib.contextmanager
def running_api(folder: Path, processes: int) -> Iterator[Api]:
    """Run an api with its own Redis, job store and folder of objects, while the context lasts."""
    redis = RedisServer(folder / "redis")
    settings = Settings(
        data_dir=folder / "data",
        api_port=free_port(),
        api_processes=processes,
        broker_url=redis.url,
        max_waiting_per_pool=100_000,
        max_waiting_per_key=100_000,
        max_uploads_per_key=100_000,
        messages_rate_limit="",
    )
    command = [sys.executable, "-m", "stemsvc", "api"]
    child = StackProcess("api", command, settings.environment(), folder / "api.log")
    redis.child.start()
    try:
        wait_until("redis", redis.answers, [redis.child], 20)
        child.start()
        api = Api("127.0.0.1", settings.api_port, child.pid)
        wait_until("the api", lambda: _answers(api), [child], 60)
        yield api
    finally:
        child.stop(30)
        redis.child.stop(10)


def _answers(api: Api) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{api.url}/healthz/live", timeout=5).status_code == 200
    return False


def _family(pid: int) -> list[int]:
    """Pids of a process and its children."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def _used(pid: int) -> float:
    """Seconds of CPU, in user and in kernel mode, that a process has taken."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _held(pid: int) -> int:
    """Bytes that a process holds by its Pss: the kernel divides a shared page among those who share it."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        private = [line.split() for line in text.splitlines() if line.startswith("Pss:")]
        return int(private[0][1]) * 1024
    return 0
