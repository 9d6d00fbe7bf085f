"""How long calls of the storage take; apart from `metrics`, which knows the job store."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from prometheus_client import Histogram

from stemsvc.errors import StemsvcError

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10, 30)  # seconds
P = ParamSpec("P")
R = TypeVar("R")


@functools.cache
def storage_seconds() -> Histogram:
    """The instrument."""
    return Histogram(
        "stemsvc_storage_seconds", "Time of a call of the storage", ("operation", "outcome"), buckets=BUCKETS
    )


def timed(operation: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Measure a call of the storage; an error's code is its outcome."""

    def wrap(call: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(call)
        def measured(*args: P.args, **kwargs: P.kwargs) -> R:
            start, outcome = time.perf_counter(), "ok"
            try:
                return call(*args, **kwargs)
            except StemsvcError as error:
                outcome = error.code
                raise
            finally:
                storage_seconds().labels(operation, outcome).observe(time.perf_counter() - start)

        return measured

    return wrap
