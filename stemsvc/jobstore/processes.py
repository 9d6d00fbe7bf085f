"""The live processes of the service, and what each of them runs with, by their own reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.fair_queue import upsert
from stemsvc.jobstore.tables import db_now, processes

FORGET_SECONDS = 86400.0


@dataclass(frozen=True)
class Process:
    """A process: `api`, `worker`, `fetcher` or `dispatcher`, and its facts. Times are by the database's clock."""

    id: str
    role: str
    facts: Mapping[str, Any]
    started_at: float
    seen_at: float


class Processes:
    """The reports in SQL."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def report(self, process_id: str, role: str, facts: Mapping[str, Any], seconds: float) -> None:
        """Store what a process runs with. It counts as live for `seconds` more."""
        values = {"role": role, "facts": dict(facts), "seen_at": db_now(), "expires_at": db_now() + seconds}
        with translated(), self._engine.begin() as connection:
            insert = upsert(connection, processes).values(id=process_id, started_at=db_now(), **values)
            connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=values))

    def leave(self, process_id: str) -> None:
        """Delete the report of a process that ends."""
        with translated(), self._engine.begin() as connection:
            connection.execute(processes.delete().where(processes.c.id == process_id))

    def living(self) -> list[Process]:
        """The live processes, by role and id."""
        query = sa.select(processes).where(processes.c.expires_at > db_now())
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(processes.c.role, processes.c.id)).mappings()
            return [Process(row["id"], row["role"], row["facts"], row["started_at"], row["seen_at"]) for row in rows]

    def forget(self) -> None:
        """Delete the reports of processes that have been silent for a day."""
        with translated(), self._engine.begin() as connection:
            connection.execute(processes.delete().where(processes.c.expires_at < db_now() - FORGET_SECONDS))
