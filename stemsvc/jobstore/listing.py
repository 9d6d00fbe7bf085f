"""Pages of jobs, newest first."""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass

import sqlalchemy as sa

from stemsvc.errors import BadCursor
from stemsvc.jobs.record import Job, JobState
from stemsvc.jobstore import rows
from stemsvc.jobstore.tables import jobs

SHOWN = 1e-6  # clients see times rounded to so many seconds: a job must be neither before nor after its time as shown


@dataclass(frozen=True)
class Filter:
    """Which jobs a page lists. Times are seconds since the epoch. Without an owner, everybody's jobs match."""

    owner: str | None = None
    states: tuple[JobState, ...] = ()
    kind: str | None = None
    model: str | None = None
    created_after: float | None = None
    created_before: float | None = None


@dataclass(frozen=True)
class Page:
    """Some jobs, and the cursor of the page after them; None on the last page."""

    jobs: list[Job]
    cursor: str | None


def page(connection: sa.Connection, which: Filter, limit: int, cursor: str | None) -> Page:
    """The first `limit` jobs after `cursor`. Raises `UsageError` `bad_cursor`.

    A cursor stays valid while jobs are added and deleted.
    """
    conditions = [jobs.c.owner == which.owner] if which.owner is not None else []
    if which.states:
        conditions.append(jobs.c.state.in_([str(state) for state in which.states]))
    if which.kind is not None:
        conditions.append(jobs.c.kind == which.kind)
    if which.model is not None:
        named = sa.func.coalesce(jobs.c.params["model"].as_string(), jobs.c.options["model"].as_string())
        conditions.append(named == which.model)
    if which.created_after is not None:
        conditions.append(jobs.c.created_at > which.created_after + SHOWN / 2)
    if which.created_before is not None:
        conditions.append(jobs.c.created_at < which.created_before - SHOWN / 2)
    if cursor is not None:
        at, job_id = _read(cursor)
        older = sa.or_(jobs.c.created_at < at, sa.and_(jobs.c.created_at == at, jobs.c.id < job_id))
        conditions.append(older)
    query = sa.select(jobs).where(*conditions).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit + 1)
    found = [rows.to_job(row) for row in connection.execute(query).mappings()]
    more = len(found) > limit
    return Page(found[:limit], _write(found[limit - 1]) if more else None)


def _write(job: Job) -> str:
    return base64.urlsafe_b64encode(struct.pack(">d", job.created_at) + job.id.encode()).decode().rstrip("=")


def _read(cursor: str) -> tuple[float, str]:
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        at: float = struct.unpack(">d", data[:8])[0]
        job_id = data[8:].decode("ascii")
    except (ValueError, binascii.Error, struct.error) as error:
        raise BadCursor("take `next_cursor` from the page before") from error
    if not job_id.isalnum() or at != at or abs(at) == float("inf"):
        raise BadCursor("take `next_cursor` from the page before")
    return at, job_id
