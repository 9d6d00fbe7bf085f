"""Asking again what may come back: a storage or store that is away while a job is in hand."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from stemsvc.errors import StorageFull, StorageUnavailable, StoreUnavailable
from stemsvc.observe.loggers import get_logger
from stemsvc.settings import Settings

log = get_logger()
T = TypeVar("T")
HELD_SECONDS = 4.0  # longest pause between two tries of a worker that has a job in hand
AWAY = (StorageUnavailable, StorageFull, StoreUnavailable)  # what is worth waiting for with a job in hand


class Patiently(Protocol):
    """Does an act, again after pauses while what it needs is away."""

    def __call__(self, act: Callable[[], T]) -> T:
        """What the act returns."""


@dataclass(frozen=True)
class Retries:
    """How long to ask again (`patience`), the backoff's first and longest pause, and when a job is too old for it.

    All in seconds.
    """

    patience: float
    base: float
    cap: float
    age: float

    @classmethod
    def of(cls, settings: Settings) -> Retries:
        """As the settings say."""
        return cls(
            settings.patience_seconds,
            settings.retry_base_seconds,
            settings.retry_cap_seconds,
            settings.retry_age_seconds,
        )

    def patiently(self, act: Callable[[], T], wait: Callable[[float], None] = time.sleep) -> T:
        """Do `act`, again after growing pauses while it raises an error of `AWAY` and patience lasts."""
        deadline = time.monotonic() + self.patience
        for attempt in itertools.count(1):
            try:
                return act()
            except AWAY as error:
                if time.monotonic() >= deadline:
                    raise
                pause = backoff(attempt, self.base, min(HELD_SECONDS, self.cap))
                log.warning("trying again", code=error.code, detail=error.detail, pause=round(pause, 1))
                wait(min(pause, max(0.0, deadline - time.monotonic())))
        raise AssertionError("unreachable")

    def pause(self, attempt: int) -> float:
        """Seconds before a job's next attempt."""
        return backoff(attempt, self.base, self.cap)


def backoff(attempt: int, base: float, cap: float) -> float:
    """Seconds to wait after `attempt` failed: exponential with full jitter, so that a crowd scatters."""
    return random.uniform(0, min(cap, base * 2 ** (attempt - 1)))
