"""What failed, by reason."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from stemsvc.jobstore.tables import jobs


@dataclass(frozen=True)
class Failure:
    """Jobs of one kind that failed with one code. `last_at` is in seconds since the epoch."""

    code: str
    kind: str
    count: int
    last_at: float
    last_job: str
    detail: str


def failures(connection: sa.Connection, since: float, until: float, owner: str | None) -> list[Failure]:
    """The failures of that time, the most frequent first; with an owner, of its jobs alone."""
    which = [jobs.c.state == "failed", jobs.c.finished_at >= since, jobs.c.finished_at < until]
    if owner is not None:
        which.append(jobs.c.owner == owner)
    group = (jobs.c.error_code, jobs.c.kind)
    numbered = (
        sa.select(
            *group,
            jobs.c.id,
            jobs.c.finished_at,
            jobs.c.error_detail,
            sa.func.count().over(partition_by=group).label("number"),
            sa.func.row_number().over(partition_by=group, order_by=(jobs.c.finished_at.desc(), jobs.c.id)).label("nth"),
        )
        .where(*which)
        .subquery()
    )
    newest = sa.select(numbered).where(numbered.c.nth == 1)
    query = newest.order_by(numbered.c.number.desc(), numbered.c.finished_at.desc())
    return [
        Failure(row.error_code or "", row.kind, row.number, row.finished_at, row.id, row.error_detail or "")
        for row in connection.execute(query)
    ]
