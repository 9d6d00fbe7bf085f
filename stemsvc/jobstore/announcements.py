"""Records webhooks for delivery, in the transaction of what they tell."""

from __future__ import annotations

import uuid

import sqlalchemy as sa

from stemsvc.accounts.webhooks import receiver
from stemsvc.jobs.record import Job
from stemsvc.jobstore.tables import db_now, webhook_deliveries


def announce(connection: sa.Connection, job: Job, type: str) -> None:
    """Record a webhook of this type for delivery, where the job's client asked for it."""
    url = job.envelope.webhook_url
    if url and type in job.envelope.webhook_events:
        announce_to(connection, job, url, type)


def announce_to(connection: sa.Connection, job: Job, url: str, type: str) -> None:
    """Record a webhook of this type about a job, or about the workflow that it is the last job of."""
    values = {
        "id": f"msg_{uuid.uuid4().hex}",
        "job_id": job.id,
        "owner": job.owner,
        "url": url,
        "host": receiver(url),
        "type": type,
        "state": "pending",
        "attempt": 0,
        "created_at": db_now(),
        "first_at": db_now(),
        "next_at": db_now(),
    }
    connection.execute(webhook_deliveries.insert().values(values))
