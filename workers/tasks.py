"""The Celery tasks: thin, each calls one function."""

from __future__ import annotations

import functools
import os
from typing import Any

from celery import shared_task

from stemsvc.control.publish import Sender
from stemsvc.control.services import open_guard
from stemsvc.control.subscribers import open_store
from stemsvc.jobstore import JobStore
from stemsvc.kinds.registry import configured_pools
from stemsvc.models.catalog import load_catalog
from stemsvc.observe.traces import PARENT
from stemsvc.queue.celery import Publisher, Tasks
from stemsvc.queue.changes import Changes
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from workers.attempt.runner import Runner
from workers.host.dead import worker_name
from workers.kinds.separate.models import Models
from workers.webhooks import Deliverer


@shared_task(name=Tasks.RUN, bind=True, max_retries=2, default_retry_delay=1)
def run(self: Any, job_id: str) -> None:
    """Run one attempt of a job, of whatever kind, or get its inputs from their addresses."""
    runner().run(job_id, worker_name(os.getpid()), _parent(self))


@shared_task(name=Tasks.SEPARATE, bind=True, max_retries=2, default_retry_delay=1)
def separate(self: Any, job_id: str) -> None:
    """What a dispatcher of release 0.1 publishes; gone with the release after this one."""
    runner().run(job_id, worker_name(os.getpid()), _parent(self))


@shared_task(name=Tasks.FETCH, bind=True, max_retries=2, default_retry_delay=1)
def fetch(self: Any, job_id: str) -> None:
    """As `separate`."""
    runner().run(job_id, worker_name(os.getpid()), _parent(self))


def _parent(task: Any) -> str | None:
    """The trace context in the message's headers."""
    headers = task.request.headers or {}
    found = headers.get(PARENT) or task.request.get(PARENT)
    return str(found) if found else None


@shared_task(name=Tasks.DELIVER, max_retries=0)
def deliver(delivery_id: str) -> None:
    """Deliver a webhook, one try."""
    deliverer().deliver(delivery_id)


@functools.cache
def deliverer() -> Deliverer:
    """This child's deliverer."""
    settings = Settings()
    return Deliverer(settings, JobStore(settings.resolved_database_url), open_storage(settings), open_guard(settings))


@functools.cache
def runner() -> Runner:
    """This child's runner, made at its first task, after the fork or spawn."""
    settings = Settings()
    if settings.threads:
        import torch

        torch.set_num_threads(settings.threads)
    catalog = load_catalog(settings.catalog, settings.default_model)
    storage = open_storage(settings)
    store = open_store(settings, storage, Changes(settings.broker_url))
    pools = configured_pools(settings.pools, catalog)
    # who takes a message makes room for the next: an idle pool need not wait for the dispatcher's round
    refill = Sender(store.outbox, Publisher(settings)).wake
    return Runner(settings, catalog, store, storage, Models.of(settings), tuple(pools), refill)
