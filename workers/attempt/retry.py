"""Asking again what may come back: a storage or store that is away while a job is in hand."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from stemsvc.errors import StorageFull, StorageUnavailable, StoreUnavailable
from stemsvc.settings import Settings

log = structlog.get_logger()
T = TypeVar("T")
HELD_SECONDS = 4.0  # longest pause between two tries of a worker that has a job in hand
AWAY = (StorageUnavailable, StorageFull, StoreUnavailable)  # what is worth waiting for with a job in hand


def patiently(settings: Settings, act: Callable[[], T], wait: Callable[[float], None]) -> T:
    """Do `act`, again after growing pauses while it raises `TransientError` and patience lasts."""
    deadline = time.monotonic() + settings.patience_seconds
    for attempt in itertools.count(1):
        try:
            return act()
        except AWAY as error:
            if time.monotonic() >= deadline:
                raise
            pause = backoff(attempt, settings.retry_base_seconds, min(HELD_SECONDS, settings.retry_cap_seconds))
            log.warning("trying again", code=error.code, detail=error.detail, pause=round(pause, 1))
            wait(min(pause, max(0.0, deadline - time.monotonic())))
    raise AssertionError("unreachable")


def backoff(attempt: int, base: float, cap: float) -> float:
    """Seconds to wait after `attempt` failed: exponential with full jitter, so that a crowd scatters."""
    return random.uniform(0, min(cap, base * 2 ** (attempt - 1)))
