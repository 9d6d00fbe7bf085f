"""Finds an earlier job whose files a new job may reuse."""

from __future__ import annotations

import sqlalchemy as sa

from stemsvc.jobs.record import Job, JobState
from stemsvc.jobstore.rows import to_job
from stemsvc.jobstore.tables import jobs


def find_cached(connection: sa.Connection, owner: str, cache_key: str) -> Job | None:
    """The owner's newest job that succeeded with this key and still has its files; None where there is none."""
    same = sa.and_(jobs.c.cache_key == cache_key, jobs.c.owner == owner, jobs.c.state == str(JobState.SUCCEEDED))
    query = sa.select(jobs).where(same).order_by(jobs.c.finished_at.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return to_job(row) if row else None


def find_made(connection: sa.Connection, owner: str, kind: str, sha256: str) -> Job | None:
    """The owner's newest job of that kind that succeeded with a first input of that hash, and still has its files."""
    same = sa.and_(jobs.c.input_sha256 == sha256, jobs.c.owner == owner, jobs.c.kind == kind)
    done = jobs.c.state == str(JobState.SUCCEEDED)
    query = sa.select(jobs).where(same, done).order_by(jobs.c.finished_at.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return to_job(row) if row else None
