"""Limits on what clients send: the waiting jobs of a pool and of an owner, and an owner's audio in a day."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import sqlalchemy as sa

from stemsvc.errors import KeyQueueFull, QueueFull, QuotaExceeded
from stemsvc.jobstore.tables import db_now, jobs
from stemsvc.jobstore.usage import day

DRAIN_SECONDS = 300.0  # the pace of a pool is measured over the last of these


@dataclass(frozen=True)
class Bounds:
    """The most jobs that may wait in one pool, the most of one owner in all pools, the most audio of an owner a day."""

    pool: int
    owner: int
    seconds_per_day: float | None = None  # of audio; None: no limit


@dataclass
class Counts:
    """How many jobs wait, with those that a batch adds."""

    pools: Counter[str] = field(default_factory=Counter)
    owners: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(
        default_factory=lambda: defaultdict(float)
    )  # of audio in this batch, by owner


def check_room(connection: sa.Connection, pool: str, owner: str, bounds: Bounds, counts: Counts) -> None:
    """Raise `TransientError` `queue_full` or `key_queue_full` where there is no room for one more job."""
    if counts.pools[pool] >= bounds.pool:
        detail = f"{counts.pools[pool]} jobs already wait for {pool}"
        raise QueueFull(detail, retry_after=_pace(connection, pool))
    if counts.owners[owner] >= bounds.owner:
        detail = f"{counts.owners[owner]} of your jobs already wait"
        raise KeyQueueFull(detail, retry_after=_pace(connection, pool))


def check_quota(connection: sa.Connection, owner: str, seconds: float, bounds: Bounds, counts: Counts) -> None:
    """Raise `TransientError` `quota_exceeded` where the owner may not send `seconds` more of audio today."""
    most = bounds.seconds_per_day
    if most is None:
        return
    sent, free_in = day(connection, owner)
    sent += counts.seconds[owner]
    if sent + seconds > most or sent >= most:
        detail = f"{sent / 60:.1f} of {most / 60:.1f} minutes of audio were sent within a day"
        raise QuotaExceeded(detail, retry_after=max(1.0, free_in))


def _pace(connection: sa.Connection, pool: str) -> float:
    """Seconds until a place in the pool is probably free: the recent mean time between two jobs that end, 1 to 60.

    30 where no job has ended recently.
    """
    recent = sa.and_(jobs.c.pool == pool, jobs.c.finished_at > db_now() - DRAIN_SECONDS)
    ended = int(connection.execute(sa.select(sa.func.count()).where(recent)).scalar_one())
    return min(60.0, max(1.0, DRAIN_SECONDS / ended)) if ended else 30.0
