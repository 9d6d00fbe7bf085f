"""How much work is before a new job in a pool, and how fast the pool has been: what a forecast needs of the store."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from stemsvc.jobstore import fair_queue
from stemsvc.jobstore.engine import reading
from stemsvc.jobstore.fair_queue import Place, Turns
from stemsvc.jobstore.tables import jobs

RECENT = 50  # jobs that a pool's pace is measured over
_LEAST_COST = 0.01  # seconds: a prediction of nothing says nothing of a pace


@dataclass(frozen=True)
class PoolWork:
    """`ahead` is the predicted cost of what runs in a pool and of what waits before a new job there, in seconds.

    `pace` is how many seconds its workers took for a second of predicted cost; None where it has not worked yet.
    """

    ahead: float
    pace: float | None


class Forecasts:
    """Reads the queues and the recent jobs of pools."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def work(self, place: Place, kind: str) -> PoolWork:
        """The work before the next job of that owner, and the pool's pace with jobs of that kind."""
        with reading(self._engine) as connection:
            turn = Turns(connection).take(place, 0.0)
            return PoolWork(_ahead(connection, place, turn), pace_of(connection, place.pool, kind))


def _ahead(connection: sa.Connection, place: Place, turn: float) -> float:
    before = sa.or_(jobs.c.priority < place.priority, sa.and_(jobs.c.priority == place.priority, jobs.c.turn <= turn))
    queued = sa.select(sa.func.coalesce(sa.func.sum(jobs.c.cost), 0.0)).where(
        fair_queue.WAITING, jobs.c.pool == place.pool, before
    )
    left = sa.func.sum(jobs.c.cost * (1.0 - jobs.c.fraction))
    running = sa.select(sa.func.coalesce(left, 0.0)).where(jobs.c.pool == place.pool, jobs.c.state == "running")
    both = sa.select(queued.scalar_subquery() + running.scalar_subquery())
    return float(connection.execute(both).scalar_one())


def pace_of(connection: sa.Connection, pool: str, kind: str) -> float | None:
    """See `PoolWork.pace`."""
    took = jobs.c.finished_at - jobs.c.started_at
    done = sa.select(took.label("took"), jobs.c.cost).where(
        jobs.c.pool == pool,
        jobs.c.kind == kind,
        jobs.c.state == "succeeded",
        jobs.c.cached.is_(False),
        jobs.c.cost >= _LEAST_COST,
        jobs.c.started_at.is_not(None),
    )
    recent = done.order_by(jobs.c.finished_at.desc()).limit(RECENT).subquery()
    row = connection.execute(sa.select(sa.func.sum(recent.c.took), sa.func.sum(recent.c.cost))).one()
    return float(row[0] / row[1]) if row[1] else None
