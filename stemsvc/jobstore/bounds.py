"""Limits on what clients send: the waiting jobs of a pool and of an owner, and the bytes that an owner may store."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa

from stemsvc.errors import FileTooLarge, KeyQueueFull, KeyStorageFull, QueueFull
from stemsvc.jobstore.locks import Lock, hold
from stemsvc.jobstore.tables import api_keys, db_now, jobs, uploads

DRAIN_SECONDS = 300.0  # the pace of a pool is measured over the last of these
STORED_SECONDS = 60.0  # until a client may look again whether its files have become fewer
_KEEPS = sa.text("jobs.stored_bytes > 0")  # no parameter: the condition of an index


@dataclass(frozen=True)
class Bounds:
    """The most jobs that may wait in one pool, and what an owner may send and store.

    `owner` are its jobs that wait in all pools, `seconds_per_day` its audio of a day (None: no limit), `stored_bytes`
    its uploads, and its jobs' inputs and outputs, at one time (0: no limit).
    """

    pool: int
    owner: int
    seconds_per_day: float | None = None
    stored_bytes: int = 0


@dataclass
class Counts:
    """How many jobs wait, with those that a batch adds."""

    pools: Counter[str] = field(default_factory=Counter)
    owners: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(
        default_factory=lambda: defaultdict(float)
    )  # of audio in this batch, by owner
    stored: Counter[str] = field(default_factory=Counter)  # bytes in this batch, by owner


@dataclass(frozen=True)
class OwnLimits:
    """What an owner's key allows; `stored_bytes` is None where the key leaves it to the settings."""

    minutes_per_day: float | None = None
    stored_bytes: int | None = None

    @classmethod
    def of(cls, connection: sa.Connection, owner: str) -> OwnLimits:
        """Read them; there are none where no key has that id."""
        columns = (api_keys.c.minutes_per_day, api_keys.c.max_stored_bytes)
        row = connection.execute(sa.select(*columns).where(api_keys.c.id == owner)).first() if owner else None
        return cls(*row) if row else cls()

    def most_stored(self, default: int) -> int:
        """The most bytes that the owner may store, `default` where the key does not say it; 0: any number."""
        return default if self.stored_bytes is None else self.stored_bytes


def lock_owners(connection: sa.Connection, owners: Iterable[str]) -> None:
    """Until this transaction ends, no other one that calls this sees or changes what these owners sent and stored.

    Call it before any row is locked: whoever holds such a lock waits for nobody's rows but those of its own jobs.
    SQLite has one writer at a time anyway.
    """
    for owner in sorted(set(owners)):
        hold(connection, Lock.OWNERS, owner)


def check_room(connection: sa.Connection, pool: str, owner: str, bounds: Bounds, counts: Counts) -> None:
    """Raise `TransientError` `queue_full` or `key_queue_full` where there is no room for one more job."""
    if counts.pools[pool] >= bounds.pool:
        detail = f"{counts.pools[pool]} jobs already wait for {pool}"
        raise QueueFull(detail, retry_after=_pace(connection, pool))
    if counts.owners[owner] >= bounds.owner:
        detail = f"{counts.owners[owner]} of your jobs already wait"
        raise KeyQueueFull(detail, retry_after=_pace(connection, pool))


def check_stored(connection: sa.Connection, owner: str, bytes: int, most: int, more: int = 0) -> None:
    """Raise where the owner may not store `bytes` beside what it stores already, and the `more` of this batch.

    Raises `UsageError` `file_too_large` where they would never fit, else `TransientError` `key_storage_full`. 0 as
    `most` is no limit. What must hold when the caller's transaction is committed needs `lock_owners` before.
    """
    if not most:
        return
    if bytes > most:
        raise FileTooLarge(f"{bytes} bytes would be stored; all files of this key may have {most}")
    stored = stored_bytes(connection, owner) + more
    if stored + bytes > most or stored >= most:
        detail = f"the key stores {stored} bytes of at most {most}; {bytes} more do not fit"
        raise KeyStorageFull(detail, retry_after=STORED_SECONDS)


def stored_bytes(connection: sa.Connection, owner: str) -> int:
    """Bytes of the owner's uploads, those announced too, and of its jobs' inputs and outputs."""
    of_jobs = sa.select(sa.func.coalesce(sa.func.sum(jobs.c.stored_bytes), 0)).where(jobs.c.owner == owner, _KEEPS)
    of_uploads = sa.select(sa.func.coalesce(sa.func.sum(uploads.c.bytes), 0)).where(uploads.c.owner == owner)
    both = sa.select(of_jobs.scalar_subquery(), of_uploads.scalar_subquery())
    return sum(map(int, connection.execute(both).one()))


def _pace(connection: sa.Connection, pool: str) -> float:
    """Seconds until a place in the pool is probably free: the recent mean time between two jobs that end, 1 to 60.

    30 where no job has ended recently.
    """
    recent = sa.and_(jobs.c.pool == pool, jobs.c.finished_at > db_now() - DRAIN_SECONDS)
    ended = int(connection.execute(sa.select(sa.func.count()).where(recent)).scalar_one())
    return min(60.0, max(1.0, DRAIN_SECONDS / ended)) if ended else 30.0
