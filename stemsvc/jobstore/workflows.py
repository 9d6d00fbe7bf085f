"""Workflows: their rows, the jobs that they have, and what mends them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from stemsvc.errors import UpstreamFailed
from stemsvc.jobs.record import ENDS, Event, Job, JobState
from stemsvc.jobstore import audit, cursors
from stemsvc.jobstore.audit import Act, By
from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.etas import Etas
from stemsvc.jobstore.handover import is_waiting, prepare
from stemsvc.jobstore.rows import find, to_job
from stemsvc.jobstore.tables import db_now, events, job_waits, jobs, workflows
from stemsvc.jobstore.transition import Moves
from stemsvc.jobstore.workflow_rows import to_workflow
from stemsvc.workflows.record import Workflow, WorkflowState


@dataclass(frozen=True)
class WorkflowPage:
    """Some workflows, and the cursor of the page after them; None on the last page."""

    workflows: list[Workflow]
    cursor: str | None


@dataclass(frozen=True)
class Standing:
    """A workflow and how far its jobs have come. `whole` is their predicted cost, `done` the part of it that is done.

    Both are in seconds. `ended` counts the jobs that have ended. `failure` is why it failed: of its failed jobs, the
    one that failed first, and not for want of another. `eta_seconds` is until its end; None where nobody knows. It
    changes all the time: that alone is no other standing.
    """

    workflow: Workflow
    whole: float
    done: float
    ended: int
    failure: Job | None
    eta_seconds: float | None = field(default=None, compare=False)

    @classmethod
    def of(cls, workflow: Workflow, of: Sequence[Job], eta_seconds: float | None = None) -> Standing:
        """The standing of a workflow whose jobs are at hand. Once they are erased, all have ended."""
        whole = sum(job.cost for job in of)
        done = sum(job.cost * (1.0 if job.finished else job.fraction) for job in of)
        ended = sum(job.finished for job in of) if of else workflow.jobs
        failed = [job for job in of if job.state is JobState.FAILED and job.error_code]
        late = [(job.error_code == UpstreamFailed.code, job.finished_at or 0.0, job.id, job) for job in failed]
        failure = min(late)[-1] if workflow.failed and late else None
        return cls(workflow, whole, done, ended, failure, eta_seconds)

    @property
    def fraction(self) -> float:
        """How far it has come, 0 to 1: each job weighs what it is predicted to cost."""
        if not self.workflow.live:
            return 1.0
        return self.done / self.whole if self.whole else 0.0


class Workflows:
    """The rows of workflows. `Intake.put_workflow` makes them, and the ends of their jobs move them."""

    def __init__(self, engine: sa.Engine, moves: Moves, etas: Etas) -> None:
        self._engine = engine
        self._moves = moves
        self._etas = etas

    def get(self, workflow_id: str) -> Workflow | None:
        """The workflow; None where there is none of that id."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(workflows).where(workflows.c.id == workflow_id)).mappings().first()
        return to_workflow(row) if row else None

    def standings(self, workflow_ids: Collection[str]) -> list[Standing]:
        """How far these workflows have come; those that don't exist are left out. No job's row is read as a whole."""
        over = jobs.c.state.in_([*map(str, ENDS), str(JobState.EXPIRED)])
        done = jobs.c.cost * sa.case((over, 1.0), else_=jobs.c.fraction)
        sums = sa.select(
            jobs.c.workflow_id, sa.func.sum(jobs.c.cost), sa.func.sum(done), sa.func.sum(sa.case((over, 1), else_=0))
        )
        sums = sums.where(jobs.c.workflow_id.in_(list(workflow_ids))).group_by(jobs.c.workflow_id)
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(workflows).where(workflows.c.id.in_(list(workflow_ids)))).mappings()
            found = [to_workflow(row) for row in rows]
            by_id = {workflow_id: (whole, part, ended) for workflow_id, whole, part, ended in connection.execute(sums)}
            failures = _failures(connection, [each.id for each in found if each.failed])
        etas = self.etas([each.id for each in found if each.live])
        return [
            Standing(each, *by_id.get(each.id, (0.0, 0.0, each.jobs)), failures.get(each.id), etas.get(each.id))
            for each in found
        ]

    def etas(self, workflow_ids: Collection[str]) -> dict[str, float]:
        """See `Etas.of`."""
        return self._etas.of(workflow_ids) if workflow_ids else {}

    def jobs(self, workflow_id: str) -> list[Job]:
        """Its jobs, in the order in which they were made."""
        query = sa.select(jobs).where(jobs.c.workflow_id == workflow_id).order_by(jobs.c.created_at, jobs.c.id)
        with reading(self._engine) as connection:
            return [to_job(row) for row in connection.execute(query).mappings()]

    def wait_for_fetch(self, job_id: str) -> list[Job]:
        """The jobs that wait for a link that this one fetches."""
        waits = sa.select(job_waits.c.job_id).where(job_waits.c.waits_for == job_id)
        query = sa.select(jobs).where(jobs.c.id.in_(waits), is_waiting()).order_by(jobs.c.id)
        with reading(self._engine) as connection:
            found = [to_job(row) for row in connection.execute(query).mappings()]
        return [job for job in found if any(i.url and i.awaited and i.from_job == job_id for i in job.inputs)]

    def timeline(self, workflow_id: str) -> list[tuple[str, Event]]:
        """What happened to its jobs, in order, each entry with its job's id."""
        query = sa.select(events).join(jobs, jobs.c.id == events.c.job_id).where(jobs.c.workflow_id == workflow_id)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(events.c.id)).mappings()
            return [
                (r["job_id"], Event(r["at"], r["from_state"], r["to_state"], r["why"], r["worker"], r["id"]))
                for r in rows
            ]

    def page(
        self, owner: str | None, states: tuple[WorkflowState, ...], limit: int, cursor: str | None
    ) -> WorkflowPage:
        """The newest workflows of an owner (None: of everybody) after `cursor`. Raises `UsageError` `bad_cursor`."""
        conditions = [workflows.c.owner == owner] if owner is not None else []
        if states:
            conditions.append(workflows.c.state.in_([str(state) for state in states]))
        if cursor is not None:
            conditions.append(cursors.after(cursor, workflows.c.created_at, workflows.c.id))
        query = sa.select(workflows).where(*conditions)
        query = query.order_by(workflows.c.created_at.desc(), workflows.c.id.desc()).limit(limit + 1)
        with reading(self._engine) as connection:
            found = [to_workflow(row) for row in connection.execute(query).mappings()]
        last = found[limit - 1] if len(found) > limit else None
        return WorkflowPage(found[:limit], cursors.write(last.created_at, last.id) if last else None)

    def delete(self, workflow_id: str, by: By | None = None) -> bool:
        """Delete the row of a workflow whose jobs are gone; False where it still has jobs, or is not there.

        `by` is the admin who does it.
        """
        gone = ~sa.exists(sa.select(jobs.c.id).where(jobs.c.workflow_id == workflow_id))
        with translated(), self._engine.begin() as connection:
            which = workflows.delete().where(workflows.c.id == workflow_id, gone).returning(workflows.c.owner)
            owners = connection.execute(which).scalars().all()
            for owner in owners:
                audit.record(connection, by, Act.WORKFLOW_DELETE, workflow_id, owner=owner)
            return bool(owners)

    def forget(self, seconds: float) -> int:
        """Delete workflows without jobs that ended longer than `seconds` ago; returns how many."""
        gone = ~sa.exists(sa.select(jobs.c.id).where(jobs.c.workflow_id == workflows.c.id))
        old = sa.and_(workflows.c.state != "running", workflows.c.ended_at < db_now() - seconds, gone)
        with translated(), self._engine.begin() as connection:
            return connection.execute(workflows.delete().where(old)).rowcount

    def mend(self) -> int:
        """Serve jobs that wait for one that has ended or is gone; returns how many waits that ended.

        The transaction that ends a job does so itself. This is for rows that were deleted or restored.
        """
        still = sa.select(jobs.c.id).where(jobs.c.state.not_in([*map(str, ENDS), str(JobState.EXPIRED)]))
        stale = sa.select(job_waits.c.job_id, job_waits.c.waits_for).where(job_waits.c.waits_for.not_in(still))
        waiting = sa.select(jobs.c.id).where(is_waiting())
        with reading(self._engine) as connection:
            found = connection.execute(stale.where(job_waits.c.job_id.in_(waiting)).limit(1000)).all()
        for job_id, other in found:
            with self._moves.begin() as moving:
                prepare(moving.connection, jobs.c.id == job_id)
                moving.serve(job_id, find(moving.connection, other), other)
        return len(found)


def _failures(connection: sa.Connection, workflow_ids: Collection[str]) -> dict[str, Job]:
    """Why each of these workflows failed; see `Standing.failure`."""
    if not workflow_ids:
        return {}
    late = sa.case((jobs.c.error_code == UpstreamFailed.code, 1), else_=0)
    order = (late, jobs.c.finished_at, jobs.c.id)
    place = sa.func.row_number().over(partition_by=jobs.c.workflow_id, order_by=order).label("place")
    failed = sa.select(jobs.c.id, place).where(
        jobs.c.workflow_id.in_(workflow_ids), jobs.c.state == str(JobState.FAILED), jobs.c.error_code.is_not(None)
    )
    ranked = failed.subquery()
    first = sa.select(ranked.c.id).where(ranked.c.place == 1)
    rows = connection.execute(sa.select(jobs).where(jobs.c.id.in_(first))).mappings()
    return {str(row["workflow_id"]): to_job(row) for row in rows}
