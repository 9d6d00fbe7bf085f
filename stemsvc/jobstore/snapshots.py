"""The few columns that show whether a job has changed, for many jobs at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from stemsvc.jobs.pools import INPUTS
from stemsvc.jobs.record import WAITING_FOR_POOL, JobState
from stemsvc.jobstore.tables import events, jobs


@dataclass(frozen=True)
class Snapshot:
    """A job's state and progress. `last_event` is the id of the newest entry of its timeline.

    `expected_at` is corrected all the time: that alone is no change.
    """

    state: JobState
    attempt: int
    stage: str
    fraction: float
    last_event: int
    expected_at: float | None = field(default=None, compare=False)


def snapshots(
    connection: sa.Connection, job_ids: Sequence[str], slots: Callable[[str | None], Mapping[str, int]]
) -> dict[str, Snapshot]:
    """Snapshots of those jobs that exist, by id.

    `slots` gives for a kind of job (None: any) how many of them each pool's live workers run at a time.
    """
    newest = sa.select(sa.func.max(events.c.id)).where(events.c.job_id == jobs.c.id).scalar_subquery()
    columns = (
        jobs.c.id,
        jobs.c.state,
        jobs.c.attempt,
        jobs.c.stage,
        jobs.c.fraction,
        jobs.c.expected_at,
        newest,
        jobs.c.pool,
        jobs.c.kind,
        jobs.c.next_pool,
    )
    found: dict[str, Snapshot] = {}
    for first in range(0, len(job_ids), 500):
        query = sa.select(*columns).where(jobs.c.id.in_(job_ids[first : first + 500]))
        for job_id, state, attempt, stage, fraction, expected, last, pool, kind, fetched in connection.execute(
            query
        ).all():
            if state == "queued" and pool != INPUTS and not slots(kind if fetched is None else None).get(pool):
                stage = WAITING_FOR_POOL
            found[job_id] = Snapshot(JobState(state), attempt, stage, fraction, last or 0, expected)
    return found
