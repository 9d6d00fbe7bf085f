"""Publishes over Redis that a job has changed. A message may get lost: the row is the truth, and is queried too."""

from __future__ import annotations

import threading
import time
from typing import Any

import redis

CHANNEL = "stemsvc.news"
QUIET_SECONDS = 5.0  # no try for so long after one that failed: publishing must never slow a job
WAIT = {"socket_connect_timeout": 0.3, "socket_timeout": 0.3}


class Changes:
    """Publishes and receives ids of changed jobs. With a broker that is not Redis it does neither."""

    def __init__(self, broker_url: str) -> None:
        self._url = broker_url if broker_url.startswith(("redis://", "rediss://")) else None
        self._client: redis.Redis | None = None
        self._guard = threading.Lock()
        self._quiet_until = 0.0

    def publish(self, job_id: str) -> None:
        """Publish that the job changed; never raises and never takes long."""
        if self._url is None or time.monotonic() < self._quiet_until:
            return
        try:
            self._connected(self._url).publish(CHANNEL, job_id)
        except (redis.RedisError, OSError, ValueError):  # the last for an address that is none
            self._quiet_until = time.monotonic() + QUIET_SECONDS

    def _connected(self, url: str) -> redis.Redis:
        with self._guard:
            if self._client is None:
                self._client = redis.Redis.from_url(url, **WAIT)
            return self._client

    def close(self) -> None:
        """Close the connection."""
        with self._guard:
            if self._client is not None:
                self._client.close()
                self._client = None

    def listen(self) -> Listener:
        """A listener that receives what is published from now on."""
        return Listener(self._url)


class Listener:
    """Receives published changes; for one thread."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._client: redis.Redis | None = None
        self._subscription: Any = None
        self._quiet_until = 0.0

    def wait(self, seconds: float) -> set[str]:
        """Ids of changed jobs, as soon as there are some; none after `seconds`. A failure counts as no change."""
        deadline = time.monotonic() + seconds
        if self._url is None or time.monotonic() < self._quiet_until:
            time.sleep(seconds)
            return set()
        try:
            first = self._subscribed(self._url).get_message(timeout=max(0.001, seconds))
            found = {_job_id(first)}
            while message := self._subscription.get_message(timeout=0):  # what came with it
                found.add(_job_id(message))
        except (redis.RedisError, OSError, ValueError):
            self.close()
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            time.sleep(max(0.0, deadline - time.monotonic()))
            return set()
        return found - {""}

    def _subscribed(self, url: str) -> Any:
        if self._subscription is None:
            self._client = redis.Redis.from_url(url, socket_connect_timeout=1, health_check_interval=30)
            self._subscription = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
            self._subscription.subscribe(CHANNEL)
        return self._subscription

    def close(self) -> None:
        """Close the connection."""
        subscription, client, self._subscription, self._client = self._subscription, self._client, None, None
        for each in (subscription, client):
            if each is not None:
                each.close()


def _job_id(message: Any) -> str:
    data = message.get("data") if isinstance(message, dict) else None
    return data.decode(errors="replace") if isinstance(data, bytes) else ""
