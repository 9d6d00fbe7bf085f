"""Which queued jobs have a message, as the rows tell: what is to be published, is being published, has been lost."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from stemsvc.jobstore.engine import snapshot, translated
from stemsvc.jobstore.rows import is_due
from stemsvc.jobstore.tables import db_now, jobs


class Outbox:
    """The publishing side of the jobs' rows. Any number of processes may use it at once."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def due(self, limit: int = 100) -> list[str]:
        """Ids of queued jobs that have no message and whose pause, if any, is over; oldest first."""
        with snapshot(self._engine) as connection:
            return [job_id for (job_id,) in connection.execute(_due(limit)).all()]

    def claim(self, limit: int = 100) -> list[tuple[str, str]]:
        """Note that due jobs are being published; (id, pool) of those that are now the caller's to send, oldest first.

        Of many dispatchers that ask at once, one gets a job.
        """
        query = _due(limit)
        if self._engine.dialect.name == "postgresql":
            query = query.with_for_update(skip_locked=True)
        with translated(), self._engine.begin() as connection:
            found = [job_id for (job_id,) in connection.execute(query).all()]
            if not found:
                return []
            mine = jobs.update().where(jobs.c.id.in_(found), _is_waiting()).values(published_at=db_now())
            pools: dict[str, str] = dict(map(tuple, connection.execute(mine.returning(jobs.c.id, jobs.c.pool)).all()))
            return [(job_id, pools[job_id]) for job_id in found if job_id in pools]

    def unclaim(self, job_ids: list[str]) -> None:
        """Note that the messages of these queued jobs did not reach the broker after all."""
        waiting = sa.and_(jobs.c.id.in_(job_ids), jobs.c.state == "queued")
        with translated(), self._engine.begin() as connection:
            connection.execute(jobs.update().where(waiting).values(published_at=None))

    def waiting(self, seconds: float) -> dict[str, int]:
        """By pool, how many queued jobs were published longer than `seconds` ago."""
        query = sa.select(jobs.c.pool, sa.func.count()).where(_published_before(seconds)).group_by(jobs.c.pool)
        with snapshot(self._engine) as connection:
            return {pool: int(count) for pool, count in connection.execute(query).all()}

    def forget(self, pool: str, seconds: float) -> int:
        """Have the pool's queued jobs published again that were published longer than `seconds` ago; how many."""
        lost = sa.and_(jobs.c.pool == pool, _published_before(seconds))
        with translated(), self._engine.begin() as connection:
            return connection.execute(jobs.update().where(lost).values(published_at=None)).rowcount


def _due(limit: int) -> sa.Select[Any]:
    return sa.select(jobs.c.id).where(_is_waiting(), is_due()).order_by(jobs.c.created_at, jobs.c.id).limit(limit)


def _is_waiting() -> sa.ColumnElement[bool]:
    return sa.and_(jobs.c.state == "queued", jobs.c.published_at.is_(None))


def _published_before(seconds: float) -> sa.ColumnElement[bool]:
    return sa.and_(jobs.c.state == "queued", jobs.c.published_at < db_now() - seconds)
