"""What this process does: the jobs that it runs and the models that it holds. Its signs of life tell it the store.

It is apart from those signs so that a command without a store does not load one.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

_guard = threading.Lock()
_jobs: list[str] = []
_models: list[str] = []


@contextlib.contextmanager
def at_work(job_id: str) -> Iterator[None]:
    """Report the job as this process's while the context lasts."""
    with _guard:
        _jobs.append(job_id)
    try:
        yield
    finally:
        with _guard:
            _jobs.remove(job_id)


def holds(models: list[str]) -> None:
    """Report these models as the ones whose weights are in memory."""
    with _guard:
        _models[:] = models


def now() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The jobs and the models of this moment."""
    with _guard:
        return tuple(_jobs), tuple(_models)
