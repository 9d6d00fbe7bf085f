"""The Celery tasks: thin, each calls one function."""

from __future__ import annotations

import functools
import os

from celery import shared_task

from stemsvc.catalog import load_catalog
from stemsvc.jobstore import JobStore
from stemsvc.news import News
from stemsvc.queue import Tasks
from stemsvc.services import open_guard
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from workers.jobs import Runner
from workers.lost import worker_name
from workers.models import Models
from workers.telling import Teller


@shared_task(name=Tasks.SEPARATE, max_retries=2, default_retry_delay=1)
def separate(job_id: str) -> None:
    """Run one attempt of a job."""
    runner().run(job_id, worker_name(os.getpid()))


@shared_task(name=Tasks.FETCH, max_retries=2, default_retry_delay=1)
def fetch(job_id: str) -> None:
    """Get the track of a job from its address."""
    runner().run(job_id, worker_name(os.getpid()))


@shared_task(name=Tasks.TELL, max_retries=0)
def tell(delivery_id: str) -> None:
    """Deliver a webhook, one try."""
    teller().deliver(delivery_id)


@functools.cache
def teller() -> Teller:
    """This child's teller."""
    settings = Settings()
    return Teller(settings, JobStore(settings.resolved_database_url), open_storage(settings), open_guard(settings))


@functools.cache
def runner() -> Runner:
    """This child's runner, made at its first task, after the fork or spawn."""
    settings = Settings()
    if settings.threads:
        import torch

        torch.set_num_threads(settings.threads)
    catalog = load_catalog(settings.catalog)
    store = JobStore(settings.resolved_database_url, News(settings.broker_url).tell)
    return Runner(settings, catalog, store, open_storage(settings), Models.of(settings))
