"""How much may wait and be sent: a pool's bound, an owner's, an owner's quota of audio."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import sqlalchemy as sa

from stemsvc.errors import KeyQueueFull, QueueFull, QuotaExceeded
from stemsvc.jobstore.tables import db_now, jobs
from stemsvc.jobstore.usage import day

DRAIN_SECONDS = 300.0  # the stretch of time that the pace of a pool is read from


@dataclass(frozen=True)
class Bounds:
    """How many jobs may wait in one pool, how many of one owner in all pools, and what the owner may send in a day."""

    pool: int
    owner: int
    seconds_per_day: float | None = None  # of audio; None: any number


@dataclass
class Counts:
    """What waits, and what a batch adds to that."""

    pools: Counter[str] = field(default_factory=Counter)
    owners: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(
        default_factory=lambda: defaultdict(float)
    )  # of audio, of owners' jobs in this batch


def check_room(connection: sa.Connection, pool: str, owner: str, bounds: Bounds, counts: Counts) -> None:
    """Raise `TransientError` `queue_full` or `key_queue_full` where one job more is too many."""
    if counts.pools[pool] >= bounds.pool:
        detail = f"{counts.pools[pool]} jobs wait for {pool} already"
        raise QueueFull(detail, retry_after=_pace(connection, pool))
    if counts.owners[owner] >= bounds.owner:
        detail = f"{counts.owners[owner]} of your jobs wait already"
        raise KeyQueueFull(detail, retry_after=_pace(connection, pool))


def check_quota(connection: sa.Connection, owner: str, seconds: float, bounds: Bounds, counts: Counts) -> None:
    """Raise `TransientError` `quota_exceeded` where the owner may not send so much audio today."""
    most = bounds.seconds_per_day
    if most is None:
        return
    sent, free_in = day(connection, owner)
    sent += counts.seconds[owner]
    if sent + seconds > most or sent >= most:
        detail = f"{sent / 60:.1f} of {most / 60:.1f} minutes of audio were sent within a day"
        raise QuotaExceeded(detail, retry_after=max(1.0, free_in))


def _pace(connection: sa.Connection, pool: str) -> float:
    """Seconds between two ends of jobs of the pool, as they were of late; when the next place will be free."""
    recent = sa.and_(jobs.c.pool == pool, jobs.c.finished_at > db_now() - DRAIN_SECONDS)
    ended = int(connection.execute(sa.select(sa.func.count()).where(recent)).scalar_one())
    return min(60.0, max(1.0, DRAIN_SECONDS / ended)) if ended else 30.0
