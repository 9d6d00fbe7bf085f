"""`stemsvc up`: the whole service on one machine, supervised until it is asked to stop."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from stemsvc.embedded import machine
from stemsvc.embedded.flower import flower_command
from stemsvc.embedded.log_files import rotate
from stemsvc.embedded.ports import free_port
from stemsvc.embedded.preflight import Port, check_folders, check_parts, check_ports
from stemsvc.embedded.processes import StackProcess, wait_until
from stemsvc.embedded.redis_server import RedisServer
from stemsvc.embedded.state import Running, lock_file, logs_folder, state_file, write_state
from stemsvc.errors import AlreadyRunning
from stemsvc.host.folders import private_folder, sweep
from stemsvc.host.locks import take
from stemsvc.jobs.pools import FILES
from stemsvc.jobstore.engine import fold
from stemsvc.kinds.registry import configured_pools
from stemsvc.models.catalog import load_catalog
from stemsvc.queue.celery import make_celery
from stemsvc.settings import Settings

LOCK_SECONDS = 1.0
RESTART_PAUSE = 3.0  # a process that ended sooner after its start is not restarted at once


class Stack:
    """Redis (unless a broker is set), api, dispatcher, fetcher and one worker process per device."""

    def __init__(self, settings: Settings, *, private_broker: bool) -> None:
        folder = settings.data_dir
        private_folder(folder)
        port = settings.api_port or free_port()
        self.url = f"http://{settings.api_host}:{port}"
        self._redis = RedisServer(folder / "redis") if private_broker else None
        changes: dict[str, Any] = {"api_port": port, "pools": pools_of(settings)}
        if self._redis:
            changes["broker_url"] = self._redis.url
        self.settings = settings.model_copy(update=changes)
        environment = self.settings.environment()
        logs = logs_folder(settings)
        run = [sys.executable, "-m", "stemsvc"]
        measured = [
            *((f"worker-{device}", command) for device, command in self._workers(run)),
            ("fetcher", [*run, "fetcher"]),
            ("dispatcher", [*run, "dispatcher"]),
            ("api", [*run, "api"]),
        ]
        self._children = [
            *(
                StackProcess(name, command, {**environment, **self._metrics_port(number)}, logs / f"{name}.log")
                for number, (name, command) in reversed([*enumerate(measured)])
            ),
            *self._flower(logs),
        ]

    def _metrics_port(self, number: int) -> dict[str, str]:
        """Each process that shows metrics has its own port, counted up from the port in the settings."""
        port = self.settings.metrics_port
        return {"STEMSVC_METRICS_PORT": str(port + number)} if port else {}

    def ports(self) -> Iterator[Port]:
        """Every port that its processes listen on, but for Redis' own."""
        yield self.settings.api_host, self.settings.api_port, "--port or STEMSVC_API_PORT"
        yield self.settings.api_host, self.settings.flower_port, "--flower or STEMSVC_FLOWER_PORT"
        measured = sum(child.name != "flower" for child in self._children)
        for number in range(measured if self.settings.metrics_port else 0):
            yield self.settings.metrics_host, self.settings.metrics_port + number, "STEMSVC_METRICS_PORT"

    def _flower(self, logs: Path) -> Iterator[StackProcess]:
        if self.settings.flower_port:
            command, environment = flower_command(self.settings)
            yield StackProcess("flower", command, environment, logs / "flower.log")

    def _workers(self, run: list[str]) -> Iterator[tuple[str, list[str]]]:
        pools = configured_pools(self.settings.pools, load_catalog(self.settings.catalog))
        if self.settings.pools.endswith(FILES):
            yield from ((pool.name, [*run, "worker", "--pool", pool.name]) for pool in pools)
            return
        for device in dict.fromkeys(pool.device for pool in pools):
            command = [*run, "worker", "--device", device]
            for pool in pools:
                if pool.device == device:
                    command += ["--model", *pool.models] if pool.models else ["--kind", *pool.kinds]
            yield device, command

    def start(self) -> None:
        """Start all processes, and return once the api takes jobs and the workers answer."""
        if self._redis:
            self._redis.child.start()
            wait_until("redis", self._redis.answers, [self._redis.child], 20)
        for child in self._children:
            child.start()
        wait_until("the api", self._ready, self._children, 60)
        wait_until("the workers", self._workers_answer, self._children, 120)
        write_state(self.settings, Running(os.getpid(), self.url, self.settings.broker_url))

    def _ready(self) -> bool:
        try:
            return bool(httpx.get(f"{self.url}/healthz/ready", timeout=10).json()["status"] == "ok")
        except (httpx.HTTPError, ValueError, KeyError):
            return False

    def _workers_answer(self) -> bool:
        app = make_celery(self.settings)
        try:
            expected = sum(child.name.startswith(("worker", "fetcher")) for child in self._children)
            return len(app.control.ping(timeout=1.0)) >= expected
        finally:
            app.close()

    def watch(self, say: Callable[[str], None]) -> None:
        """Restart each process that ends, and put full logs aside, forever."""
        everyone = [*([self._redis.child] if self._redis else []), *self._children]
        while True:
            time.sleep(0.5)
            rotate(logs_folder(self.settings), self.settings.log_bytes, self.settings.log_files)
            for child in everyone:
                code = child.dead()
                if code is not None and child.age > RESTART_PAUSE:
                    say(f"{child.name} ended with code {code}; starting it again")
                    child.start()

    def stop(self) -> None:
        """Stop everything, workers first, Redis last. What only living processes need goes too."""
        state_file(self.settings).unlink(missing_ok=True)
        for child in reversed(self._children):
            child.stop(self.settings.shutdown_grace_seconds)
        if self._redis:
            self._redis.child.stop(10)
        fold(self.settings.resolved_database_url)
        sweep(self.settings.data_dir / "metrics")


def pools_of(settings: Settings, find: Callable[[], list[str]] = machine.find_devices) -> str:
    """The setting `pools`; where it is left open, every model on every device that is found.

    A pool on the CPU without a memory limit gets this machine's memory.
    """
    if settings.pools.endswith(FILES):
        return settings.pools
    asked = settings.pools
    if "pools" not in settings.model_fields_set:
        asked = ",".join(f"*:{device}" for device in find())
    parts = []
    for pool in configured_pools(asked, load_catalog(settings.catalog)):
        memory = pool.memory_mb or (machine.memory_mb() if pool.device == "cpu" else None)
        parts.append(f"{(pool.models or pool.kinds)[0]}:{pool.device}" + (f":{memory}M" if memory else ""))
    return ",".join(parts)


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    path = lock_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + LOCK_SECONDS
    with path.open("w") as file:
        while True:
            try:
                take(file.fileno())
                break
            except OSError as error:  # another stack, or a process that looks for one
                if time.monotonic() > deadline:
                    detail = f"a stack already runs over {settings.data_dir}"
                    raise AlreadyRunning(detail) from error
            time.sleep(0.02)
        yield


def run_stack(settings: Settings, *, private_broker: bool, say: Callable[[str], None]) -> None:
    """Run the stack until SIGINT or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    check_folders(settings)
    with _only_one(settings):
        stack = Stack(settings, private_broker=private_broker)
        check_ports(stack.ports())
        check_parts(stack.settings, private_broker=private_broker)
        try:
            stack.start()
            say(
                f"stemsvc is up at {stack.url} (API description: {stack.url}/docs/)\nlogs and data: {settings.data_dir}"
            )
            stack.watch(say)
        except KeyboardInterrupt:
            say("stopping")
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second SIGTERM must not leave processes behind
            stack.stop()
