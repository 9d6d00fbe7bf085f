"""What the end of a workflow's job does to the jobs that wait for it, in the same transaction.

Its outputs become their inputs. A job that has all of its inputs comes into its pool's queue. Where the outputs will
never come, the job ends, and so do those that wait for it in turn. The workflow ends with its last job. One job of a
workflow fetches a link, and the others that want it get copies when it is there.

Two jobs of one workflow may end at once. Each transaction that ends one holds the workflow's lock, and that of the
queues, before it locks a row: see `prepare`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from stemsvc.errors import UnknownOutput, UpstreamFailed
from stemsvc.jobs.outputs import handed_on
from stemsvc.jobs.pools import FETCH, INPUTS
from stemsvc.jobs.record import Job, JobState
from stemsvc.jobs.spec import Input
from stemsvc.jobstore import fair_queue
from stemsvc.jobstore.announcements import announce_to
from stemsvc.jobstore.fair_queue import Change, Place, Turns
from stemsvc.jobstore.locks import Lock, hold
from stemsvc.jobstore.rows import append, bytes_of, to_job
from stemsvc.jobstore.tables import db_now, job_waits, jobs, workflows
from stemsvc.kinds import registry

# Ends a queued job: its id, the state, why, and further columns of its row.
Move = Callable[[str, JobState, str, Mapping[str, Any]], object]
# Copies of fetched tracks: by the job that gets one and the link, an input that says where it lies.
Copies = Mapping[tuple[str, str], Input]

_WORKFLOW = sa.select(jobs.c.workflow_id).where(jobs.c.workflow_id.is_not(None))


def prepare(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Take the locks of a transaction that may end the one job that `which` matches, before it locks any row."""
    workflow_id = connection.execute(_WORKFLOW.where(which)).scalar()
    if workflow_id is not None:
        hold(connection, Lock.WORKFLOWS, workflow_id)
        hold(connection, Lock.QUEUES)  # two turns given at once would be the same turn


@dataclass
class Handover:
    """Goes on with workflows whose jobs one transaction ends. `move` ends jobs that wait."""

    connection: sa.Connection
    move: Move
    _ended: deque[Job] = field(default_factory=deque)  # whose waiting jobs are not served yet
    _busy: bool = False
    _excused: set[str] = field(default_factory=set)  # jobs that ended for want of one whose failure does not count

    def ended(self, job: Job) -> None:
        """Serve the jobs that waited for this one, then count its end. A job that `move` ended comes here again."""
        self._ended.append(job)
        if self._busy:
            return
        self._busy = True
        try:
            while self._ended:
                self._go_on(self._ended.popleft())
        finally:
            self._busy = False

    def fetched(self, job: Job, copies: Copies) -> None:
        """Give jobs that wait for the link that this one has fetched their copies of the track."""
        for waiting in self._waiting(job):
            inputs = [_shared(each, copies.get((waiting.id, each.url)), job) for each in waiting.inputs]
            if inputs == list(waiting.inputs):
                continue
            self._keep(waiting, inputs)
            if not any(each.from_job == job.id and each.awaited for each in inputs):
                this = sa.and_(job_waits.c.job_id == waiting.id, job_waits.c.waits_for == job.id)
                self.connection.execute(job_waits.delete().where(this))

    def mend(self, job_id: str, other: Job | None, other_id: str) -> None:
        """Serve a job that still waits for `other_id`, which has ended before, or is gone where `other` is None."""
        query = sa.select(jobs).where(jobs.c.id == job_id, is_waiting()).with_for_update()
        row = self.connection.execute(query).mappings().first()
        if row is None:
            return
        waiting = to_job(row)
        if other is not None:
            self._serve(waiting, other, other.state is not JobState.SUCCEEDED and self._is_tolerated(other))
        elif any(each.from_job == other_id and each.awaited and not each.url for each in waiting.inputs):
            self._end(waiting, JobState.FAILED, UpstreamFailed.code, "a step before it was deleted")
        else:
            self._keep(waiting, [_alone(each, other_id) for each in waiting.inputs])
        this = sa.and_(job_waits.c.job_id == job_id, job_waits.c.waits_for == other_id)
        self.connection.execute(job_waits.delete().where(this))

    def _go_on(self, job: Job) -> None:
        tolerated = job.state is not JobState.SUCCEEDED and self._is_tolerated(job)
        for each in self._waiting(job):
            self._serve(each, job, tolerated)
        self._count(job, tolerated)

    def _waiting(self, job: Job) -> list[Job]:
        waits = sa.select(job_waits.c.job_id).where(job_waits.c.waits_for == job.id)
        query = sa.select(jobs).where(jobs.c.id.in_(waits), jobs.c.state == "queued").order_by(jobs.c.id)
        return [to_job(row) for row in self.connection.execute(query.with_for_update()).mappings()]

    def _serve(self, waiting: Job, job: Job, tolerated: bool) -> None:
        """Give the waiting job what this one made; end it where it can't be done without."""
        inputs: list[Input] = []
        for each in waiting.inputs:
            if each.from_job != job.id or not each.awaited:
                inputs.append(each)
            elif each.url:  # it ended before it had fetched the track
                inputs.append(_alone(each, job.id))
            elif job.state is JobState.SUCCEEDED:
                try:
                    inputs += handed_on(job, each, several=each.several)
                except UnknownOutput as error:
                    self._end(waiting, JobState.FAILED, error.code, f"step {job.step}: {error.detail}")
                    return
            elif not tolerated or not _can_spare(each, waiting):
                if tolerated:
                    self._excused.add(waiting.id)
                self._end_with(waiting, job)
                return
        self._keep(waiting, inputs)

    def _end_with(self, waiting: Job, job: Job) -> None:
        if job.state is JobState.CANCELED:
            self._end(waiting, JobState.CANCELED, None, f"step {job.step} was canceled")
        else:
            code = f" with {job.error_code}" if job.error_code else ""
            self._end(waiting, JobState.FAILED, UpstreamFailed.code, f"step {job.step} failed{code}")

    def _end(self, waiting: Job, state: JobState, code: str | None, detail: str) -> None:
        values = {"stage": str(state), "finished_at": db_now(), "error_code": code, "error_detail": code and detail}
        self.move(waiting.id, state, f"{code}: {detail}" if code else detail, values)

    def _keep(self, waiting: Job, inputs: Sequence[Input]) -> None:
        """Store its inputs. With the last one it comes into the queue of its pool."""
        own = bytes_of(each for each in inputs if not each.from_job)  # an earlier job's output stays that job's
        values: dict[str, Any] = {"inputs": [asdict(each) for each in inputs], "stored_bytes": own}
        if inputs:
            first = inputs[0]
            values |= {"input_key": first.key, "input_name": first.name, "input_bytes": first.bytes}
        if not any(each.awaited for each in inputs) and waiting.next_pool:
            turns = Turns(self.connection)
            linked = any(each.url and not each.key for each in inputs)
            pool, then = (FETCH, waiting.next_pool) if linked else (waiting.next_pool, None)
            place = Place(pool, waiting.priority, waiting.owner)
            turn = turns.take(place, waiting.cost)
            values |= {"pool": pool, "next_pool": then, "stage": "queued", "turn": turn}
            fair_queue.count(self.connection, {place: Change(1)}, turns.ends)
            append(self.connection, waiting.id, "queued", JobState.QUEUED, f"its inputs are there; {place.pool}", None)
        self.connection.execute(jobs.update().where(jobs.c.id == waiting.id).values(values))

    def _is_tolerated(self, job: Job) -> bool:
        if job.id in self._excused:
            return True
        spec = sa.select(workflows.c.spec).where(workflows.c.id == job.workflow_id)
        tolerated = (self.connection.execute(spec).scalar() or {}).get("tolerated", ())
        return (job.step or "").partition("[")[0] in tolerated

    def _count(self, job: Job, tolerated: bool) -> None:
        over = sa.or_(job_waits.c.waits_for == job.id, job_waits.c.job_id == job.id)
        self.connection.execute(job_waits.delete().where(over))
        failed = int(job.state is JobState.FAILED and not tolerated)
        canceled = int(job.state is JobState.CANCELED and not tolerated)
        counted = (
            workflows.update()
            .where(workflows.c.id == job.workflow_id)
            .values(
                live=workflows.c.live - 1,
                failed=workflows.c.failed + failed,
                canceled=workflows.c.canceled + canceled,
            )
            .returning(workflows.c.live, workflows.c.failed, workflows.c.canceled, workflows.c.options)
        )
        row = self.connection.execute(counted).first()
        if row is not None and row.live == 0:
            state = "failed" if row.failed else "canceled" if row.canceled else "succeeded"
            ended = workflows.update().where(workflows.c.id == job.workflow_id)
            self.connection.execute(ended.values(state=state, ended_at=db_now()))
            url, event = row.options.get("webhook_url"), f"workflow.{state}"
            if url and event in row.options.get("webhook_events", ()):
                announce_to(self.connection, job, url, event)


def _shared(each: Input, copy: Input | None, job: Job) -> Input:
    """An input that waits for what the job fetches, with its copy of it; any other one as it is."""
    if copy is None or not each.awaited or each.from_job != job.id:
        return each
    return replace(each, from_job="", key=copy.key, name=copy.name, bytes=copy.bytes)


def _alone(each: Input, fetcher: str) -> Input:
    """An input that waits for what another job fetches, now to be fetched for its own job; any other one as it is."""
    return replace(each, from_job="") if each.url and each.awaited and each.from_job == fetcher else each


def _can_spare(missing: Input, waiting: Job) -> bool:
    """Whether others of its role are there or may still come: a join goes on with those.

    An input that is an entry of the job's params can't be spared.
    """
    kind = registry.find(waiting.kind)
    if kind is not None and any(role.entries for role in kind.roles if role.name == missing.role):
        return False
    return any(each is not missing and each.role == missing.role for each in waiting.inputs)


def is_waiting() -> sa.ColumnElement[bool]:
    """The condition that a job waits for the inputs that others make."""
    return sa.and_(jobs.c.state == "queued", jobs.c.pool == INPUTS)
