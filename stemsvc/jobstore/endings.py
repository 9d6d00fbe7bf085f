"""What follows from a job's end, in the same transaction: its account is closed, its client will be told."""

from __future__ import annotations

import uuid

import sqlalchemy as sa

from stemsvc.jobs.record import JobState
from stemsvc.jobstore.tables import db_now, jobs, usage, webhook_deliveries

ENDS = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED)


_CLOSE = (
    usage.update().where(usage.c.job_id == sa.bindparam("which")).values(state=sa.bindparam("end"), ended_at=db_now())
)
_TOLD = sa.select(jobs.c.owner, jobs.c.options).where(jobs.c.id == sa.bindparam("which"))


def note_end(connection: sa.Connection, job_id: str, state: str) -> None:
    """Close the job's account; have its client told, if it asked for that."""
    connection.execute(_CLOSE, {"which": job_id, "end": str(state)})
    announce(connection, job_id, f"job.{state}")


def announce(connection: sa.Connection, job_id: str, type: str) -> None:
    """Have a webhook sent, where the job's client asked for this type."""
    row = connection.execute(_TOLD, {"which": job_id}).one_or_none()
    url = row.options.get("webhook_url") if row else None
    if row is None or not url or type not in row.options.get("webhook_events", ()):
        return
    values = {
        "id": f"msg_{uuid.uuid4().hex}", "job_id": job_id, "owner": row.owner, "url": url, "type": type,
        "state": "pending", "attempt": 0, "created_at": db_now(), "first_at": db_now(), "next_at": db_now(),
    }  # fmt: skip
    connection.execute(webhook_deliveries.insert().values(values))
