"""The Celery tasks. Each is thin and calls one function."""

from __future__ import annotations

import functools
import os
from typing import Any

from celery import shared_task

from stemsvc.control.publish import Sender
from stemsvc.control.subscribers import open_store
from stemsvc.kinds.registry import configured_pools
from stemsvc.models.catalog import load_catalog
from stemsvc.observe.traces import PARENT
from stemsvc.queue.celery import Publisher, Tasks
from stemsvc.queue.changes import Changes
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from workers.attempt.runner import Runner
from workers.host.identity import worker_name
from workers.host.models import Models


@shared_task(name=Tasks.RUN, bind=True, max_retries=2, default_retry_delay=1)
def run(self: Any, job_id: str) -> None:
    """Run one attempt of a job of any kind, or fetch its inputs from their URLs."""
    runner().run(job_id, worker_name(os.getpid()), _parent(self))


@shared_task(name=Tasks.SEPARATE, bind=True, max_retries=2, default_retry_delay=1)
def separate(self: Any, job_id: str) -> None:
    """Run a job that a dispatcher of release 0.1 published. The next release drops this task."""
    runner().run(job_id, worker_name(os.getpid()), _parent(self))


@shared_task(name=Tasks.FETCH, bind=True, max_retries=2, default_retry_delay=1)
def fetch(self: Any, job_id: str) -> None:
    """Like `separate`: dispatchers of release 0.1 publish it, and the next release drops it."""
    runner().run(job_id, worker_name(os.getpid()), _parent(self))


def _parent(task: Any) -> str | None:
    """The trace context in the message's headers."""
    headers = task.request.headers or {}
    found = headers.get(PARENT) or task.request.get(PARENT)
    return str(found) if found else None


@shared_task(name=Tasks.DELIVER, max_retries=0)
def deliver(delivery_id: str) -> None:
    """Do nothing: dispatchers of release 0.1 publish it, but fetchers find due deliveries in the store."""


@functools.cache
def runner() -> Runner:
    """This process's runner, made at its first job, after the fork or spawn."""
    settings = Settings()
    if settings.threads:
        import torch

        torch.set_num_threads(settings.threads)
    catalog = load_catalog(settings.catalog, settings.default_model, accepted=settings.licences)
    storage = open_storage(settings)
    store = open_store(settings, storage, Changes(settings.broker_url))
    pools = configured_pools(settings.pools, catalog)
    # taking a message makes room for the next, so a worker publishes it: an idle pool need not wait for the dispatcher
    sender = Sender(store.outbox, Publisher(settings))
    hand_over = functools.partial(sender.wake, at_once=True)
    return Runner.of(settings, catalog, store, storage, Models.of(settings), tuple(pools), sender.wake, hand_over)
