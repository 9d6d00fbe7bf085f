"""Which queued jobs have a message in the broker: those to publish, those being published, those whose message is lost.

Messages run ahead of a pool's workers by one for each of their slots, or by `ahead` where that is more. A job without a
message can still change its place, and a queue of a million jobs lies in the table, not in the broker.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from stemsvc.jobs.pools import FETCH, INPUTS, queue_of
from stemsvc.jobs.record import JobState, Priority
from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.fair_queue import LINES, PUBLISHED, UNPUBLISHED, Change, Place, advance, count
from stemsvc.jobstore.locks import Lock, hold
from stemsvc.jobstore.rows import is_due
from stemsvc.jobstore.tables import db_now, jobs, pool_drains, source_hosts
from stemsvc.jobstore.workers import Workers

IN_TURN = (jobs.c.turn, jobs.c.created_at, jobs.c.id)


@dataclass(frozen=True)
class Claimed:
    """A job whose message the caller of `claim` must send."""

    job_id: str
    pool: str
    priority: int
    request_id: str | None = None
    trace: str | None = None

    @property
    def queue(self) -> str:
        """The name of the queue that its message goes to."""
        return queue_of(self.pool, Priority(self.priority))


@dataclass(frozen=True)
class _Room:
    """How many more messages a queue may get."""

    pool: str
    priority: int
    messages: int
    share: int | None = None  # the most of one owner, and of one host, at work or in the broker; None: no bound


class Outbox:
    """The publishing side of the jobs' rows. Any number of processes may use it at once.

    `ahead` is how many messages may wait for a pool without a live worker, or with fewer slots than that.
    """

    def __init__(self, engine: sa.Engine, workers: Workers, ahead: int) -> None:
        self._engine = engine
        self._workers = workers
        self._ahead = ahead

    def due(self, limit: int = 100) -> list[str]:
        """Ids of queued jobs that have no message and whose pause, if any, is over; in the order of their turns."""
        query = sa.select(jobs.c.id).where(UNPUBLISHED, jobs.c.pool != INPUTS, is_due())
        with reading(self._engine) as connection:
            return [job_id for (job_id,) in connection.execute(query.order_by(*IN_TURN).limit(limit)).all()]

    def claim(self, limit: int = 100) -> list[Claimed]:
        """Mark the next jobs as published and return them: the caller must send their messages.

        Where many dispatchers ask at once, one of them gets a job, and together they fill the room once. A low priority
        gets the room that the higher ones leave.
        """
        slots = self._workers.slots()
        with reading(self._engine) as connection:  # most calls find nothing, and a reader blocks nobody
            if not any(_next(connection, room) for room in self._rooms(connection, slots)):
                return []
        claimed: list[Claimed] = []
        changes: Counter[Place] = Counter()
        turns: dict[tuple[str, int], float] = {}
        with translated(), self._engine.begin() as connection:
            hold(connection, Lock.MESSAGES)  # two that count the messages at once would each fill the same room
            for room in self._rooms(connection, slots, changes):
                for row in _claim(connection, room, limit - len(claimed)):
                    turns[row.pool, row.priority] = max(turns.get((row.pool, row.priority), 0.0), row.turn)
                    changes[Place(row.pool, row.priority, "")] += 1
                    claimed.append(Claimed(row.id, row.pool, row.priority, row.request_id, row.trace))
            count(connection, {place: Change(published=number) for place, number in changes.items()})
            advance(connection, turns)
        return claimed

    def _rooms(
        self, connection: sa.Connection, slots: dict[str, int], claimed: Mapping[Place, int] | None = None
    ) -> Iterator[_Room]:
        """The queues where jobs wait and that may get more messages, high priorities first.

        The caller adds to `claimed` between two of them: a queue whose jobs all pause takes no room from later ones.
        """
        taken: dict[str, int] = defaultdict(int)
        drained = set(connection.execute(sa.select(pool_drains.c.pool)).scalars())
        for pool, priority, waiting, published in connection.execute(LINES).all():
            if pool in drained:
                continue
            taken[pool] += published
            above = sum(number for place, number in (claimed or {}).items() if place.pool == pool)
            room = min(max(slots.get(pool, 0), self._ahead) - taken[pool] - above, waiting - published)
            if room > 0:
                share = _share(slots.get(pool) or self._ahead) if pool == FETCH else None
                yield _Room(pool, priority, room, share)

    def unclaim(self, job_ids: list[str]) -> None:
        """Record that the messages of these queued jobs did not reach the broker."""
        self._unpublish(sa.and_(jobs.c.id.in_(job_ids), PUBLISHED))

    def recall(self, connection: sa.Connection, pool: str) -> int:
        """Count the pool's jobs as not published, in the caller's transaction; returns how many were."""
        return _unpublished(connection, sa.and_(jobs.c.pool == pool, PUBLISHED))

    def _unpublish(self, which: sa.ColumnElement[bool]) -> int:
        with translated(), self._engine.begin() as connection:
            return _unpublished(connection, which)

    def rooms(self) -> set[str]:
        """Pools that have a due job without a message, and room for one."""
        slots = self._workers.slots()
        with reading(self._engine) as connection:
            return {room.pool for room in self._rooms(connection, slots) if _next(connection, room)}

    def waiting(self, seconds: float) -> dict[tuple[str, int], int]:
        """By pool and priority, how many queued jobs were published longer than `seconds` ago."""
        found = {}
        with reading(self._engine) as connection:
            for pool, priority, _, published in connection.execute(LINES).all():
                old = sa.and_(jobs.c.pool == pool, jobs.c.priority == priority, _published_before(seconds))
                if published and (number := connection.execute(sa.select(sa.func.count()).where(old)).scalar_one()):
                    found[pool, priority] = int(number)
        return found

    def forget(self, pool: str, priority: int, seconds: float) -> int:
        """Mark the queue's jobs that were published longer than `seconds` ago as unpublished; returns how many.

        They are published again in their turn.
        """
        return self._unpublish(sa.and_(jobs.c.pool == pool, jobs.c.priority == priority, _published_before(seconds)))


_NEXT = (
    sa.select(jobs.c.id)
    .where(UNPUBLISHED, jobs.c.pool == sa.bindparam("pool"), jobs.c.priority == sa.bindparam("priority"), is_due())
    .order_by(*IN_TURN)
    .limit(sa.bindparam("most"))
)
_LOCKED = _NEXT.with_for_update(skip_locked=True)  # SQLite ignores it: it has one writer at a time
_CLAIM = (
    jobs.update()
    .where(jobs.c.id.in_(sa.bindparam("ids", expanding=True)), UNPUBLISHED)
    .values(published_at=db_now())
    .returning(jobs.c.id, jobs.c.pool, jobs.c.priority, jobs.c.turn, jobs.c.request_id, jobs.c.trace)
)


_BUSY = sa.and_(jobs.c.pool == sa.bindparam("pool"), sa.or_(jobs.c.state == JobState.RUNNING, PUBLISHED))
_FULL = sa.func.count() >= sa.bindparam("share")
_HELD = (
    sa.select(jobs.c.owner)
    .where(_BUSY, jobs.c.owner != "")  # without keys nobody can be told from anybody
    .group_by(jobs.c.owner)
    .having(_FULL)
)
_CROWDED = (
    sa.select(source_hosts.c.host)
    .join(jobs, jobs.c.id == source_hosts.c.job_id)
    .where(_BUSY)
    .group_by(source_hosts.c.host)
    .having(_FULL)
)


def _unpublished(connection: sa.Connection, which: sa.ColumnElement[bool]) -> int:
    changes: Counter[Place] = Counter()
    undone = jobs.update().where(which).values(published_at=None).returning(jobs.c.pool, jobs.c.priority)
    for pool, priority in connection.execute(undone).all():
        changes[Place(pool, priority, "")] -= 1
    count(connection, {place: Change(published=number) for place, number in changes.items()})
    return -changes.total()


def _share(threads: int) -> int:
    """The most jobs of one owner, or of links to one host: slow ones leave others a quarter of the threads."""
    return max(1, threads - max(1, threads // 4))


def _next(connection: sa.Connection, room: _Room, limit: int = 1, *, lock: bool = False) -> list[str]:
    query = _LOCKED if lock else _NEXT
    if room.share is not None:
        bound = {"pool": room.pool, "share": room.share}
        if held := connection.execute(_HELD, bound).scalars().all():
            query = query.where(jobs.c.owner.not_in(held))
        if crowded := connection.execute(_CROWDED, bound).scalars().all():
            to_them = sa.and_(source_hosts.c.job_id == jobs.c.id, source_hosts.c.host.in_(crowded))
            query = query.where(~sa.exists().where(to_them))
    values = {"pool": room.pool, "priority": room.priority, "most": min(room.messages, limit)}
    return list(connection.execute(query, values).scalars().all())


def _claim(connection: sa.Connection, room: _Room, limit: int) -> list[sa.Row[Any]]:
    """Claim jobs of a queue. Where owners and hosts have a share, one after the other: each changes what they hold."""
    if room.share is None:
        return _claimed(connection, _next(connection, room, limit, lock=True)) if limit > 0 else []
    found: list[sa.Row[Any]] = []
    for _ in range(min(room.messages, limit)):
        one = _claimed(connection, _next(connection, room, lock=True))
        if not one:
            break
        found += one
    return found


def _claimed(connection: sa.Connection, job_ids: list[str]) -> list[sa.Row[Any]]:
    if not job_ids:
        return []
    rows = {row.id: row for row in connection.execute(_CLAIM, {"ids": job_ids}).all()}
    return [rows[job_id] for job_id in job_ids if job_id in rows]


def _published_before(seconds: float) -> sa.ColumnElement[bool]:
    return sa.and_(PUBLISHED, jobs.c.published_at < db_now() - seconds)
