"""What happened to the jobs of a period: by model, how long they waited, and what is stored now."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from stemsvc.jobstore.engine import connect, reading
from stemsvc.jobstore.tables import events, jobs, uploads, usage


@dataclass(frozen=True)
class ModelUse:
    """Jobs of one kind and model, and the seconds that devices computed for them."""

    kind: str
    model: str
    jobs: int
    device_seconds: float


def waits(connection: sa.Connection, since: float, until: float) -> list[tuple[float, float]]:
    """When each job was accepted, and how many seconds later its first attempt began; in the order of acceptance.

    Jobs accepted from `since` on and before `until` count. Those of workflows are left out: they wait for other jobs.
    """
    began = sa.func.min(events.c.at)
    query = (
        sa.select(jobs.c.created_at, began)
        .join(events, events.c.job_id == jobs.c.id)
        .where(jobs.c.created_at >= since, jobs.c.created_at < until, jobs.c.workflow_id.is_(None))
        .where(events.c.from_state == "queued", events.c.to_state == "running")
        .group_by(jobs.c.id, jobs.c.created_at)
        .order_by(jobs.c.created_at)
    )
    return [(created, max(0.0, at - created)) for created, at in connection.execute(query).all()]


def by_model(connection: sa.Connection, since: float, until: float) -> list[ModelUse]:
    """What each kind and model was used for, the most computing first."""
    spent = sa.func.sum(usage.c.device_seconds)
    query = (
        sa.select(usage.c.kind, usage.c.model, sa.func.count(), spent)
        .where(usage.c.accepted_at >= since, usage.c.accepted_at < until)
        .group_by(usage.c.kind, usage.c.model)
        .order_by(spent.desc(), usage.c.kind, usage.c.model)
    )
    return [ModelUse(kind, model, int(count), float(spent)) for kind, model, count, spent in connection.execute(query)]


def stored(connection: sa.Connection) -> dict[str, int]:
    """Bytes of files that each owner stores now: those of its jobs and its uploads; owners without any are left out."""
    found: dict[str, int] = {}
    of_jobs = sa.select(jobs.c.owner, sa.func.sum(jobs.c.stored_bytes)).where(jobs.c.stored_bytes > 0)
    of_uploads = sa.select(uploads.c.owner, sa.func.sum(uploads.c.bytes)).where(uploads.c.bytes > 0)
    for query in (of_jobs.group_by(jobs.c.owner), of_uploads.group_by(uploads.c.owner)):
        for owner, bytes in connection.execute(query).all():
            found[owner] = found.get(owner, 0) + int(bytes)
    return found


class Daily:
    """These queries over the store at `url`, all of one moment."""

    def __init__(self, url: str) -> None:
        self._engine = connect(url)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def read(self, since: float, until: float) -> tuple[list[tuple[float, float]], list[ModelUse], dict[str, int]]:
        """What `waits`, `by_model` and `stored` say. Raises the store's errors."""
        with reading(self._engine) as connection:
            return waits(connection, since, until), by_model(connection, since, until), stored(connection)
