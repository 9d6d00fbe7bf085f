"""The queues where jobs wait, one for each pool and priority, and each owner's fair share of a queue.

Start-time fair queuing (Goyal, Vin, Cheng 1996) gives each job a turn, and the lowest turn goes first. A job's turn is
the end of its owner's jobs before it, or the queue's clock where that is later. The job's predicted cost then moves its
owner's end forward. The clock is the turn of the job that was published last. So an owner who comes late goes before
the rest of another owner's thousand jobs, and an owner who has used less of the devices goes first. One indexed query
finds the next job, however long the queue is.

The table `lines` keeps the counts and the clock of each queue, the table `shares` those of each owner in it. The same
transactions that move jobs update the counts. A transaction that locks several rows locks jobs before queues before
shares, and each of these in order, so that no two transactions wait for each other.
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from stemsvc.jobs.pools import INPUTS
from stemsvc.jobstore.tables import jobs, lines, shares

MOST_COUNTED = 10_000  # jobs before another one; nobody needs a larger number
# A planner uses a partial index only where the query repeats its condition: it may not contain a parameter.
WAITING = sa.text("jobs.state = 'queued'")
PUBLISHED = sa.text("jobs.state = 'queued' AND jobs.published_at IS NOT NULL")
UNPUBLISHED = sa.text("jobs.state = 'queued' AND jobs.published_at IS NULL")


@dataclass(frozen=True, order=True)
class Place:
    """One owner's share of one queue."""

    pool: str
    priority: int
    owner: str


@dataclass(frozen=True)
class Change:
    """How many jobs come to a place (negative: leave it): those that wait, and among them those that have a message."""

    waiting: int = 0
    published: int = 0


def upsert(connection: sa.Connection, table: sa.Table) -> Any:
    """An insert of the connection's dialect, which has `on_conflict_do_update`."""
    return _insert(connection.dialect.name, table)


def _insert(dialect: str, table: sa.Table) -> Any:
    # the one that is used alone: PostgreSQL's takes long to load, and most commands write no queue
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


# Statements that every job needs several times are built once: building them costs more than running them.
@functools.cache
def _count_queue(dialect: str) -> Any:
    insert = _insert(dialect, lines).values(
        pool=sa.bindparam("pool"),
        priority=sa.bindparam("priority"),
        waiting=sa.bindparam("waiting"),
        published=sa.bindparam("published"),
        clock=0.0,
    )
    more = {
        "waiting": lines.c.waiting + insert.excluded.waiting,
        "published": lines.c.published + insert.excluded.published,
    }
    return insert.on_conflict_do_update(index_elements=["pool", "priority"], set_=more)


@functools.cache
def _count_share(dialect: str) -> Any:
    insert = _insert(dialect, shares).values(
        pool=sa.bindparam("pool"),
        priority=sa.bindparam("priority"),
        owner=sa.bindparam("owner"),
        waiting=sa.bindparam("waiting"),
        turn=sa.bindparam("turn"),
    )
    later = sa.case((insert.excluded.turn > shares.c.turn, insert.excluded.turn), else_=shares.c.turn)
    more = {"waiting": shares.c.waiting + insert.excluded.waiting, "turn": later}
    return insert.on_conflict_do_update(index_elements=["pool", "priority", "owner"], set_=more)


@functools.cache
def _keep_turn(dialect: str) -> Any:
    insert = _insert(dialect, shares).values(
        pool=sa.bindparam("pool"),
        priority=sa.bindparam("priority"),
        owner=sa.bindparam("owner"),
        waiting=0,
        turn=sa.bindparam("turn"),
    )
    return insert.on_conflict_do_update(
        index_elements=["pool", "priority", "owner"], set_={"turn": insert.excluded.turn}
    )


_POOL = sa.bindparam("pool", type_=sa.String)
_PRIORITY = sa.bindparam("priority", type_=sa.SmallInteger)
_OWNER = sa.bindparam("owner", type_=sa.String)
_END = sa.union_all(
    sa.select(lines.c.clock).where(lines.c.pool == _POOL, lines.c.priority == _PRIORITY),
    sa.select(shares.c.turn).where(shares.c.pool == _POOL, shares.c.priority == _PRIORITY, shares.c.owner == _OWNER),
)
_ADVANCE = (
    lines.update()
    .where(lines.c.pool == sa.bindparam("p"), lines.c.priority == sa.bindparam("n"), lines.c.clock < sa.bindparam("t"))
    .values(clock=sa.bindparam("t"))
)
LINES = sa.select(lines.c.pool, lines.c.priority, lines.c.waiting, lines.c.published).order_by(
    lines.c.pool, lines.c.priority
)


def count(
    connection: sa.Connection, changes: Mapping[Place, Change], ends: Mapping[Place, float] | None = None
) -> None:
    """Add `changes` to the counts of queues and shares. `ends` are the owners' new ends; see `Turns.ends`."""
    by_queue: dict[tuple[str, int], Change] = {}
    for place, change in changes.items():
        before = by_queue.get((place.pool, place.priority), Change())
        both = Change(before.waiting + change.waiting, before.published + change.published)
        by_queue[place.pool, place.priority] = both
    dialect = connection.dialect.name
    of_queues = [
        {"pool": pool, "priority": priority, "waiting": change.waiting, "published": change.published}
        for (pool, priority), change in sorted(by_queue.items())
    ]
    of_shares = [
        {
            "pool": place.pool,
            "priority": place.priority,
            "owner": place.owner,
            "waiting": change.waiting,
            "turn": (ends or {}).get(place, 0.0),
        }
        for place, change in sorted(changes.items(), key=lambda each: each[0])
        if change.waiting
    ]
    for statement, values in ((_count_queue(dialect), of_queues), (_count_share(dialect), of_shares)):
        if values:
            connection.execute(statement, values if len(values) > 1 else values[0])


_STANDING = sa.union_all(
    sa.select(
        lines.c.pool, lines.c.priority, sa.null().label("owner"), lines.c.waiting, lines.c.clock.label("turn")
    ).where(lines.c.pool.in_(sa.bindparam("pools", expanding=True))),
    sa.select(shares.c.pool, shares.c.priority, shares.c.owner, shares.c.waiting, shares.c.turn).where(
        shares.c.owner.in_(sa.bindparam("owners", expanding=True))
    ),
)


@dataclass
class Standing:
    """How many jobs wait, by pool and by owner, and where new turns begin. One query reads it for a whole batch."""

    pools: Counter[str] = field(default_factory=Counter)  # jobs that wait
    owners: Counter[str] = field(default_factory=Counter)  # jobs that wait, in all pools
    clocks: dict[tuple[str, int], float] = field(default_factory=dict)
    turns: dict[Place, float] = field(default_factory=dict)

    @classmethod
    def of(cls, connection: sa.Connection, pools: Iterable[str], owners: Iterable[str]) -> Standing:
        """Read it for these pools, and for these owners in all pools."""
        standing = cls()
        asked = {"pools": list(set(pools)), "owners": list(set(owners))}
        for pool, priority, owner, waiting, turn in connection.execute(_STANDING, asked).all():
            if owner is None:
                standing.pools[pool] += waiting
                standing.clocks[pool, priority] = turn
            else:
                standing.owners[owner] += waiting
                standing.turns[Place(pool, priority, owner)] = turn
        return standing

    def end(self, place: Place) -> float:
        """The end of the owner's jobs there, or the queue's clock where that is later."""
        return max(self.clocks.get((place.pool, place.priority), 0.0), self.turns.get(place, 0.0))


class Turns:
    """Gives turns to the jobs that one transaction adds. `keep` stores the owners' new ends, or `count` with `ends`."""

    def __init__(self, connection: sa.Connection, standing: Standing | None = None) -> None:
        self._connection = connection
        self._standing = standing
        self._ends: dict[Place, float] = {}

    @property
    def ends(self) -> Mapping[Place, float]:
        """Where each owner's jobs end after the turns given so far."""
        return self._ends

    def take(self, place: Place, cost: float) -> float:
        """The turn of the owner's next job; `cost` moves the owner's end forward."""
        if place not in self._ends:
            self._ends[place] = self._end(place)
        turn = self._ends[place]
        self._ends[place] = turn + cost
        return turn

    def _end(self, place: Place) -> float:
        if self._standing is not None:
            return self._standing.end(place)
        named = {"pool": place.pool, "priority": place.priority, "owner": place.owner}
        return max(self._connection.execute(_END, named).scalars().all(), default=0.0)

    def keep(self) -> None:
        """Store where each owner's jobs end now."""
        statement = _keep_turn(self._connection.dialect.name)
        for place, turn in sorted(self._ends.items()):
            named = {"pool": place.pool, "priority": place.priority, "owner": place.owner, "turn": turn}
            self._connection.execute(statement, named)


def advance(connection: sa.Connection, turns: dict[tuple[str, int], float]) -> None:
    """Move the queues' clocks forward to the turns of the jobs published last: no later job gets a turn before them."""
    for (pool, priority), turn in sorted(turns.items()):
        connection.execute(_ADVANCE, {"p": pool, "n": priority, "t": turn})


def waiting_by_pool(connection: sa.Connection) -> dict[str, dict[int, int]]:
    """How many jobs wait in each pool, by priority."""
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for pool, priority, number, _ in connection.execute(LINES).all():
        found[pool][priority] = number
    return dict(found)


def position(connection: sa.Connection, pool: str, priority: int, turn: float, created_at: float) -> int:
    """How many jobs of the pool go before one with that turn; at most `MOST_COUNTED`."""
    above = sa.select(sa.func.coalesce(sa.func.sum(lines.c.waiting), 0)).where(
        lines.c.pool == pool, lines.c.priority < priority
    )
    earlier = sa.or_(jobs.c.turn < turn, sa.and_(jobs.c.turn == turn, jobs.c.created_at < created_at))
    same_queue = sa.select(jobs.c.id).where(WAITING, jobs.c.pool == pool, jobs.c.priority == priority, earlier)
    counted = sa.select(sa.func.count()).select_from(same_queue.limit(MOST_COUNTED).subquery())
    both = sa.select(above.scalar_subquery() + counted.scalar_subquery())
    return min(MOST_COUNTED, int(connection.execute(both).scalar_one()))


def tidy(connection: sa.Connection) -> None:
    """Delete the shares of owners who have no waiting job and whose end is not past the queue's clock.

    Such a share changes no turn.
    """
    behind = sa.select(lines.c.clock).where(lines.c.pool == shares.c.pool, lines.c.priority == shares.c.priority)
    connection.execute(shares.delete().where(shares.c.waiting == 0, shares.c.turn <= behind.scalar_subquery()))


def recount(connection: sa.Connection) -> None:
    """Count the waiting jobs again: for an operator who changed rows by hand."""
    if connection.dialect.name == "postgresql":  # nobody counts while we do; a move that has begun is waited for
        connection.execute(sa.text("LOCK TABLE lines, shares IN SHARE ROW EXCLUSIVE MODE"))
    connection.execute(lines.update().values(waiting=0, published=0))
    connection.execute(shares.update().values(waiting=0))
    place = (jobs.c.pool, jobs.c.priority, jobs.c.owner)
    places = sa.select(*place, sa.func.count(), sa.func.count(jobs.c.published_at))
    places = places.where(WAITING, jobs.c.pool != INPUTS).group_by(*place)
    found = connection.execute(places).all()
    count(connection, {Place(*each): Change(waiting, published) for *each, waiting, published in found})
