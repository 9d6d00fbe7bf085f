"""Pages of jobs, newest first."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from stemsvc.jobs.record import Job, JobState
from stemsvc.jobstore import cursors, rows
from stemsvc.jobstore.search import has_words
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
    words: str = ""  # that the name of the first input has, each of them, in any case


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
    if which.words:
        conditions += has_words(jobs.c.input_name, which.words, connection.dialect.name)
    if which.model is not None:
        named = sa.func.coalesce(jobs.c.params["model"].as_string(), jobs.c.options["model"].as_string())
        conditions.append(named == which.model)
    if which.created_after is not None:
        conditions.append(jobs.c.created_at > which.created_after + SHOWN / 2)
    if which.created_before is not None:
        conditions.append(jobs.c.created_at < which.created_before - SHOWN / 2)
    if cursor is not None:
        conditions.append(cursors.after(cursor, jobs.c.created_at, jobs.c.id))
    query = sa.select(jobs).where(*conditions).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit + 1)
    found = [rows.to_job(row) for row in connection.execute(query).mappings()]
    more = len(found) > limit
    last = found[limit - 1] if more else None
    return Page(found[:limit], cursors.write(last.created_at, last.id) if last else None)
