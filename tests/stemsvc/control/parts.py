"""Acceptance, sender and dispatcher over one store, as a process has them."""

from __future__ import annotations

import io
from dataclasses import dataclass

import redis

from stemsvc.control.accept import Acceptance, Request, Rules
from stemsvc.control.dispatcher import Dispatcher
from stemsvc.control.publish import Sender
from stemsvc.control.route import Router
from stemsvc.control.sources import SentFile
from stemsvc.jobs.pools import Pool, single
from stemsvc.jobs.record import Job
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.bounds import Bounds
from stemsvc.kinds.limits import Limits
from stemsvc.models.catalog import load_catalog
from stemsvc.queue.celery import Publisher
from stemsvc.settings import Settings
from stemsvc.storage import Storage
from tests.specs import spec_of

OPTIONS = spec_of("demo", stems=("vocals",))


@dataclass(frozen=True)
class Parts:
    acceptance: Acceptance
    sender: Sender
    dispatcher: Dispatcher


def make(
    settings: Settings,
    store: JobStore,
    storage: Storage,
    broker_url: str | None = None,
    grace: float = 0.0,
    bounds: Bounds | None = None,
    pools: list[Pool] | None = None,
    patience: float = 300.0,
) -> Parts:
    publisher = Publisher(settings.model_copy(update={"broker_url": broker_url or settings.broker_url}))
    rules = Rules(bounds or Bounds(100, 100), Limits(600, 600, 10), max_attempts=2, min_free_bytes=0)
    sender = Sender(store.outbox, publisher)
    router = Router(store, load_catalog(), pools or [single("demo", "cpu")], patience=patience)
    acceptance = Acceptance(store, sender, storage, load_catalog(), router, rules)
    return Parts(acceptance, sender, Dispatcher(store, publisher, sender, router, grace, settle_seconds=0))


def accept(work: Parts, count: int = 1) -> list[Job]:
    """Jobs that were accepted, and published if the broker takes messages."""
    accepted = [work.acceptance.accept([upload()], OPTIONS, Request()).job for _ in range(count)]
    work.sender.close()
    return accepted


def upload(data: bytes = b"music") -> SentFile:
    return SentFile(io.BytesIO(data), "song.mp3")


def waiting(client: redis.Redis) -> set[str]:
    """Ids of the jobs whose messages wait."""
    bodies = [body(message) for message in client.lrange("separate.demo.cpu", 0, -1)]
    return {str(kwargs["job_id"]) for _, kwargs in bodies}


def body(message: bytes | str) -> tuple[list[object], dict[str, object]]:
    import base64
    import json

    args, kwargs, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
    return args, kwargs
