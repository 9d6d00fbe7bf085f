"""A word that something happened to a job, over Redis. It may get lost: the row is the truth, and is looked at."""

from __future__ import annotations

import threading
import time
from typing import Any

import redis

CHANNEL = "stemsvc.news"
QUIET_SECONDS = 5.0  # without tries after one that failed: telling must never cost a job its time
WAIT = {"socket_connect_timeout": 0.3, "socket_timeout": 0.3}


class Changes:
    """Tells and hears ids of jobs. Over a broker that is no Redis it says nothing and hears nothing."""

    def __init__(self, broker_url: str) -> None:
        self._url = broker_url if broker_url.startswith(("redis://", "rediss://")) else None
        self._client: redis.Redis | None = None
        self._guard = threading.Lock()
        self._quiet_until = 0.0

    def publish(self, job_id: str) -> None:
        """Say that the job changed; never raises and never takes long."""
        if self._url is None or time.monotonic() < self._quiet_until:
            return
        try:
            self._connected(self._url).publish(CHANNEL, job_id)
        except (redis.RedisError, OSError):
            self._quiet_until = time.monotonic() + QUIET_SECONDS

    def _connected(self, url: str) -> redis.Redis:
        with self._guard:
            if self._client is None:
                self._client = redis.Redis.from_url(url, **WAIT)
            return self._client

    def close(self) -> None:
        """Give back the connection."""
        with self._guard:
            if self._client is not None:
                self._client.close()
                self._client = None

    def listen(self) -> Listener:
        """Hear what is told from now on."""
        return Listener(self._url)


class Listener:
    """Hears what is told; for one thread."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._client: redis.Redis | None = None
        self._heard: Any = None
        self._quiet_until = 0.0

    def wait(self, seconds: float) -> set[str]:
        """Ids that were told, as soon as there are some; none after `seconds`. Whatever fails is silence."""
        deadline = time.monotonic() + seconds
        if self._url is None or time.monotonic() < self._quiet_until:
            time.sleep(seconds)
            return set()
        try:
            first = self._subscribed(self._url).get_message(timeout=max(0.001, seconds))
            found = {_job_id(first)}
            while message := self._heard.get_message(timeout=0):  # what came with it
                found.add(_job_id(message))
        except (redis.RedisError, OSError, ValueError):
            self.close()
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            time.sleep(max(0.0, deadline - time.monotonic()))
            return set()
        return found - {""}

    def _subscribed(self, url: str) -> Any:
        if self._heard is None:
            self._client = redis.Redis.from_url(url, socket_connect_timeout=1, health_check_interval=30)
            self._heard = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
            self._heard.subscribe(CHANNEL)
        return self._heard

    def close(self) -> None:
        """Give back the connection."""
        heard, client, self._heard, self._client = self._heard, self._client, None, None
        for each in (heard, client):
            if each is not None:
                each.close()


def _job_id(message: Any) -> str:
    data = message.get("data") if isinstance(message, dict) else None
    return data.decode(errors="replace") if isinstance(data, bytes) else ""
