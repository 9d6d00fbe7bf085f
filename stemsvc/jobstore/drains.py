"""Pools that take no new work. What they do already they finish; their queued jobs wait, or go to another pool."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from stemsvc.jobstore import audit
from stemsvc.jobstore.audit import Act, By
from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.fair_queue import upsert
from stemsvc.jobstore.locks import Lock, hold
from stemsvc.jobstore.outbox import Outbox
from stemsvc.jobstore.tables import db_now, pool_drains

LONGEST_WHY = 200  # characters


@dataclass(frozen=True)
class Drain:
    """Since when a pool takes no new work, in seconds since the epoch by the database's clock, and why."""

    pool: str
    at: float
    why: str = ""


class Drains:
    """The drained pools in SQL. A job of such a pool gets no message, and no worker a lease for it."""

    def __init__(self, engine: sa.Engine, outbox: Outbox) -> None:
        self._engine = engine
        self._outbox = outbox

    def all(self) -> dict[str, Drain]:
        """The drained pools, by name."""
        with reading(self._engine) as connection:
            found = connection.execute(sa.select(pool_drains).order_by(pool_drains.c.pool)).mappings()
            return {row["pool"]: Drain(**row) for row in found}

    def drain(self, pool: str, why: str = "", by: By | None = None) -> bool:
        """Have the pool take no new work; False where it is drained already, and keeps its first reason.

        Its messages in the broker count as never sent: a worker that reads one gets no lease, and after `resume` the
        jobs are published again.
        """
        with translated(), self._engine.begin() as connection:
            hold(connection, Lock.MESSAGES)  # who claims jobs of this pool now has published them before we look
            insert = upsert(connection, pool_drains).values(pool=pool, at=db_now(), why=why[:LONGEST_WHY])
            added = insert.on_conflict_do_nothing(index_elements=["pool"]).returning(pool_drains.c.pool)
            if connection.execute(added).first() is None:
                return False
            audit.record(connection, by, Act.POOL_DRAIN, pool, why=why)
            self._outbox.recall(connection, pool)
        return True

    def resume(self, pool: str, by: By | None = None) -> bool:
        """Have the pool take work again; False where it is not drained."""
        with translated(), self._engine.begin() as connection:
            if not connection.execute(pool_drains.delete().where(pool_drains.c.pool == pool)).rowcount:
                return False
            audit.record(connection, by, Act.POOL_RESUME, pool)
        return True
