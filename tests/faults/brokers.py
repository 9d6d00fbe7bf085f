"""Redis and RabbitMQ, and the faults that a test can cause in each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import redis

from stemsvc.embedded.processes import StackProcess
from stemsvc.embedded.redis_server import RedisServer
from tests.processes import wait_for
from tests.rabbitmq import RabbitServer


class Broker(Protocol):
    """A broker's process and its faults."""

    name: str

    @property
    def url(self) -> str: ...

    @property
    def command(self) -> list[str]: ...

    @property
    def environment(self) -> dict[str, str]: ...

    def answers(self) -> bool: ...

    def wipe(self) -> None:
        """Lose every queue and message."""

    def drop_connections(self) -> None:
        """Close every client's connection."""

    def full(self) -> contextlib.AbstractContextManager[None]:
        """Give the broker no memory for messages while the context lasts."""

    def close(self) -> None:
        """End the processes that run beside the broker's."""


class Redis:
    """The embedded Redis."""

    name = "redis"

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._server = RedisServer(folder / "redis")
        self.environment = environment

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def command(self) -> list[str]:
        return self._server.child.command

    def answers(self) -> bool:
        return self._server.answers()

    def wipe(self) -> None:
        with self._client() as client:
            client.flushall()

    def drop_connections(self) -> None:
        with self._client() as client:
            client.client_kill_filter(_type="normal", skipme=True)
            client.client_kill_filter(_type="pubsub", skipme=True)

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        with self._client() as client:
            client.config_set("maxmemory", 1)
        try:
            yield
        finally:
            with self._client() as client:
                client.config_set("maxmemory", 0)

    def close(self) -> None:
        """Do nothing: no process runs beside Redis."""

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)


class Replica:
    """A Redis that copies another one, with its password, until it is promoted."""

    def __init__(self, folder: Path, primary: str) -> None:
        self._server = RedisServer(folder)
        self._primary = urlsplit(primary)
        self._server.child.start()
        wait_for("the replica to start", self._server.answers)
        with redis.Redis.from_url(self._server.url) as client:
            client.config_set("masterauth", self._primary.password)
            client.config_set("requirepass", self._primary.password)
            client.replicaof(self._primary.hostname, self._primary.port)

    @property
    def port(self) -> int:
        """Where it listens."""
        return urlsplit(self._server.url).port or 0

    def has_all(self) -> bool:
        """Whether it has every write of the primary."""
        here, there = self._info(self.port), self._info(self._primary.port or 0)
        up = here["master_link_status"] == "up" and not here["master_sync_in_progress"]
        return bool(up and here["slave_repl_offset"] >= there["master_repl_offset"])

    def promote(self) -> None:
        """Take writes from now on."""
        with self._client(self.port) as client:
            client.replicaof("NO", "ONE")

    def close(self) -> None:
        """End it."""
        self._server.child.stop(10)

    def _info(self, port: int) -> dict[str, Any]:
        with self._client(port) as client:
            return dict(client.info("replication"))

    def _client(self, port: int) -> redis.Redis:
        return redis.Redis(port=port, password=self._primary.password, socket_timeout=5)


class Rabbit:
    """Debian's RabbitMQ."""

    name = "rabbitmq"

    def __init__(self, folder: Path) -> None:
        self._server = RabbitServer(folder / "rabbit")
        self._server.port_mapper.start()

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def command(self) -> list[str]:
        return self._server.child.command

    @property
    def environment(self) -> dict[str, str]:
        return self._server.environment

    def answers(self) -> bool:
        return self._server.answers()

    def wipe(self) -> None:
        for command in ("stop_app", "reset", "start_app"):
            self._server.control(command)

    def drop_connections(self) -> None:
        self._server.control("close_all_connections", "dropped by a test")

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        self._server.control("set_vm_memory_high_watermark", "absolute", "1MB")
        try:
            yield
        finally:
            self._server.control("set_vm_memory_high_watermark", "0.4")

    def close(self) -> None:
        mapper: StackProcess = self._server.port_mapper
        mapper.stop(5)
