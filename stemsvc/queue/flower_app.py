"""The Celery app without the workers' code, for Flower."""

from __future__ import annotations

from stemsvc.queue.celery import make_celery
from stemsvc.settings import Settings

app = make_celery(Settings())
