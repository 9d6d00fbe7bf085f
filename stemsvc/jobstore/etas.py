"""When workflows will have ended: read from those of their jobs that have not ended, and from how fast pools have been.

What other clients have in the queues does not count: nobody knows which of it comes first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from stemsvc.jobs.record import ENDS, JobState
from stemsvc.jobstore.engine import reading
from stemsvc.jobstore.forecasts import pace_of
from stemsvc.jobstore.tables import db_now, job_waits, jobs, workflows
from stemsvc.jobstore.workers import Workers
from stemsvc.workflows.forecast import Load, least_seconds

Pools = tuple[str, str]  # a pool, and a kind of job that it does
_Row = sa.Row[tuple[object, ...]]
_LIVE = jobs.c.state.not_in([*map(str, ENDS), str(JobState.EXPIRED)])
_DONE = jobs.c.state.in_([str(JobState.SUCCEEDED), str(JobState.EXPIRED)])
_PREDICTED = sa.and_(jobs.c.state == "running", jobs.c.expected_at.is_not(None))
_WORKED = sa.and_(_DONE, jobs.c.cached.is_(False))


class Etas:
    """Predicts the ends of workflows."""

    def __init__(self, engine: sa.Engine, workers: Workers) -> None:
        self._engine = engine
        self._workers = workers

    def of(self, workflow_ids: Collection[str]) -> dict[str, float]:
        """Seconds until each of these workflows has ended, at the best.

        Left out are those that have ended, and those of which no job has measured progress yet.
        """
        with reading(self._engine) as connection:
            measured = connection.execute(_measured(workflow_ids)).scalars().all()
            if not measured:
                return {}
            rows = connection.execute(_live(measured)).all()
            needs: defaultdict[str, list[str]] = defaultdict(list)
            for job_id, other in connection.execute(_waits(measured)).all():
                needs[job_id].append(other)
            pools = {_pools(row) for row in rows if row.expected_at is None or row.state != "running"}
            paces = {each: pace_of(connection, *each) for each in pools}
        by_workflow: defaultdict[str, list[_Row]] = defaultdict(list)
        for row in rows:
            by_workflow[str(row.workflow_id)].append(row)
        slots = self._slots({_pools(row) for row in rows})
        return {each: least_seconds(_loads(own, needs, paces), slots) for each, own in by_workflow.items()}

    def _slots(self, pools: Collection[Pools]) -> dict[str, int]:
        found: dict[str, int] = {}
        for pool, kind in pools:
            found[pool] = max(found.get(pool, 0), self._workers.slots(kind).get(pool, 0))
        return found


def _measured(workflow_ids: Collection[str]) -> sa.Select[str]:
    """Which of them go on, and have a job whose end is predicted from its progress, or one that has done its work."""
    live = sa.select(workflows.c.id).where(workflows.c.id.in_(list(workflow_ids)), workflows.c.live > 0)
    which = sa.and_(jobs.c.workflow_id.in_(live), sa.or_(_PREDICTED, _WORKED))
    return sa.select(jobs.c.workflow_id).where(which).distinct()


def _live(workflow_ids: Sequence[str]) -> sa.Select[tuple[object, ...]]:
    names = ("id", "workflow_id", "state", "kind", "pool", "next_pool", "cost", "expected_at", "started_at")
    columns = [*(jobs.c[name] for name in names), db_now().label("now")]
    return sa.select(*columns).where(jobs.c.workflow_id.in_(workflow_ids), _LIVE)


def _waits(workflow_ids: Sequence[str]) -> sa.Select[str, str]:
    """Which jobs wait for which: a row of `job_waits` goes when the job that is waited for ends."""
    query = sa.select(job_waits.c.job_id, job_waits.c.waits_for).join(jobs, jobs.c.id == job_waits.c.job_id)
    return query.where(jobs.c.workflow_id.in_(workflow_ids))


def _loads(rows: Sequence[_Row], needs: Mapping[str, list[str]], paces: Mapping[Pools, float | None]) -> list[Load]:
    numbers = {row.id: number for number, row in enumerate(rows)}
    measured = _own_paces(rows)
    loads = []
    for row in rows:
        pools = _pools(row)
        pace = paces.get(pools) or measured.get(pools) or 1.0
        before = tuple(numbers[other] for other in needs.get(row.id, ()) if other in numbers)
        loads.append(Load(pools[0], _left(row, pace), before))
    return loads


def _left(row: _Row, pace: float) -> float:
    """Seconds that a job has still to work: as it predicts itself, else as its kind has predicted."""
    if row.state != "running":
        return float(row.cost * pace)
    if row.expected_at is not None:
        return max(0.0, float(row.expected_at - row.now))
    return max(0.0, float(row.cost * pace - (row.now - row.started_at if row.next_pool is None else 0.0)))


def _own_paces(rows: Sequence[_Row]) -> dict[Pools, float]:
    """The slowest pace, by pool and kind, of the jobs that predict themselves: a pool may not have ended one yet."""
    found: dict[Pools, float] = {}
    for row in rows:
        if row.state == "running" and row.expected_at is not None and row.cost > 0:
            whole = row.expected_at - row.started_at
            found[_pools(row)] = max(found.get(_pools(row), 0.0), float(whole / row.cost))
    return found


def _pools(row: _Row) -> Pools:
    """Where the job's work is done, which is not where it waits for its inputs, and of what kind it is."""
    return str(row.next_pool or row.pool), str(row.kind)
