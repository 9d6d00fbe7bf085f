"""A job's row and its timeline, read and written inside somebody's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from stemsvc.jobs.record import Event, Job, JobOptions, JobState, JobView
from stemsvc.jobstore import fair_queue
from stemsvc.jobstore.tables import db_now, events, jobs
from stemsvc.kinds.separate.options import SeparationOptions


def to_row(job: Job) -> dict[str, Any]:
    """The row of a job."""
    row = {name: getattr(job, name) for name in jobs.c.keys()}  # noqa: SIM118 - a collection of columns
    return {**row, "state": str(job.state), "options": asdict(job.options)}


def to_job(row: Mapping[Any, Any]) -> Job:
    """The job of a row."""
    values = dict(row)
    options = values.pop("options")
    for name in ("stems", "webhook_events"):
        options[name] = tuple(options.get(name, ()))
    options["separation"] = SeparationOptions(**options.get("separation", {}))
    return Job(**{**values, "state": JobState(values["state"]), "options": JobOptions(**options)})


_FIND = sa.select(jobs).where(jobs.c.id == sa.bindparam("job_id"))
_APPEND = events.insert().values(
    job_id=sa.bindparam("job_id"), at=db_now(), from_state=sa.bindparam("old"), to_state=sa.bindparam("new"),
    why=sa.bindparam("why"), worker=sa.bindparam("worker"),
)  # fmt: skip


def find(connection: sa.Connection, job_id: str) -> Job | None:
    """The job of that id."""
    row = connection.execute(_FIND, {"job_id": job_id}).mappings().first()
    return to_job(row) if row else None


def view(connection: sa.Connection, job: Job) -> JobView:
    """The job with its timeline and its place in the queue."""
    return JobView(job, timeline(connection, job.id), _queue_position(connection, job))


def timeline(connection: sa.Connection, job_id: str) -> list[Event]:
    """The job's moves, oldest first."""
    query = sa.select(events).where(events.c.job_id == job_id).order_by(events.c.id)
    rows = connection.execute(query).mappings()
    return [Event(r["at"], r["from_state"], r["to_state"], r["why"], r["worker"], r["id"]) for r in rows]


def _queue_position(connection: sa.Connection, job: Job) -> int | None:
    if job.state is not JobState.QUEUED:
        return None
    return fair_queue.position(connection, job.pool, job.priority, job.turn, job.created_at)


def append(connection: sa.Connection, job_id: str, old: str | None, new: str, why: str, worker: str | None) -> None:
    """Add a line to the job's timeline."""
    connection.execute(_APPEND, {"job_id": job_id, "old": old, "new": str(new), "why": why, "worker": worker})


def is_due() -> sa.ColumnElement[bool]:
    """Whether a job's pause before its next attempt is over."""
    return sa.or_(jobs.c.not_before.is_(None), jobs.c.not_before <= db_now())
