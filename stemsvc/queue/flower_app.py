"""The Celery app without the workers' code: what Flower is pointed at."""

from __future__ import annotations

from stemsvc.queue.celery import make_celery
from stemsvc.settings import Settings

app = make_celery(Settings())
