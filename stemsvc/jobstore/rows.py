"""A job's row and its timeline, read and written inside somebody's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from stemsvc.jobs.record import MOVES, Event, Job, JobOptions, JobState, JobView
from stemsvc.jobstore import fair_queue
from stemsvc.jobstore.endings import ENDS, note_end
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


_PLACE = (jobs.c.pool, jobs.c.priority, jobs.c.owner)
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


def move(
    connection: sa.Connection,
    which: sa.ColumnElement[bool],
    old: JobState,
    new: JobState,
    values: dict[str, Any],
) -> bool:
    """Move the one job that `which` names from `old` to `new`; False where it is not there any more.

    The line that it comes to or leaves is counted.
    """
    if new not in MOVES[old]:
        raise AssertionError(f"{old} -> {new} is not a legal move")
    update = jobs.update().where(which, jobs.c.state == str(old)).values(state=str(new), **values)
    moved = connection.execute(update.returning(*_PLACE, jobs.c.published_at)).all()
    if JobState.QUEUED in (old, new):
        change = 1 if new is JobState.QUEUED else -1
        for *place, published_at in moved:
            published = 0 if published_at is None else change
            fair_queue.count(connection, {fair_queue.Place(*place): fair_queue.Change(change, published)})
    return bool(moved)


def append(connection: sa.Connection, job_id: str, old: str | None, new: str, why: str, worker: str | None) -> None:
    """Add a line to the job's timeline, and what follows from a job's end to the records that outlive it."""
    values = {"job_id": job_id, "old": old, "new": str(new), "why": why, "worker": worker}
    connection.execute(_APPEND, values)
    if new in ENDS:
        note_end(connection, job_id, new)


def is_due() -> sa.ColumnElement[bool]:
    """Whether a job's pause before its next attempt is over."""
    return sa.or_(jobs.c.not_before.is_(None), jobs.c.not_before <= db_now())
