"""The Celery tasks: thin, each calls one function."""

from __future__ import annotations

import functools
import os

from celery import shared_task

from stemsvc.catalog import load_catalog
from stemsvc.jobstore import JobStore
from stemsvc.queue import Tasks
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from workers.jobs import Runner
from workers.lost import worker_name
from workers.models import Models


@shared_task(name=Tasks.SEPARATE, max_retries=2, default_retry_delay=1)
def separate(job_id: str) -> None:
    """Run one attempt of a job."""
    runner().run(job_id, worker_name(os.getpid()))


@functools.cache
def runner() -> Runner:
    """This child's runner, made at its first task, after the fork or spawn."""
    settings = Settings()
    if settings.threads:
        import torch

        torch.set_num_threads(settings.threads)
    catalog, store = load_catalog(settings.catalog), JobStore(settings.resolved_database_url)
    return Runner(settings, catalog, store, open_storage(settings), Models.of(settings))
