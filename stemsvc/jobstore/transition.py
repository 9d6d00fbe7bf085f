"""The single funnel for a job's state. One transaction writes a move, its timeline entry, its account and its webhooks.

Subscribers are notified of a move after its commit, and only then. Where the commit of an end had no answer, they are
notified when a later transaction finds that the end was stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from stemsvc.errors import TransientError
from stemsvc.jobs.pools import INPUTS
from stemsvc.jobs.record import ENDS, MOVES, WITHOUT_FILES, Job, JobState
from stemsvc.jobstore import fair_queue
from stemsvc.jobstore.announcements import announce
from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.handover import Copies, Handover
from stemsvc.jobstore.rows import append, bytes_of, find, to_job
from stemsvc.jobstore.tables import db_now, jobs, usage
from stemsvc.observe.loggers import get_logger


@dataclass(frozen=True)
class Moved:
    """A move that was committed. `job` is the job right after it; `old` is None for a job that was just accepted."""

    job: Job
    old: JobState | None
    why: str

    @property
    def ended(self) -> bool:
        """Whether this move ended the job."""
        return self.job.state in ENDS


Subscriber = Callable[[Moved], None]
Why = str | Callable[[Job], str]  # the text of the timeline entry; a function is called with the job after its move


class Transaction:
    """A transaction in which jobs move. `connection` is for other statements that belong to it."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.moved: list[Moved] = []
        self._handover = Handover(connection, self._end_waiting)

    def transition(
        self,
        which: sa.ColumnElement[bool],
        old: JobState,
        new: JobState,
        why: Why,
        *,
        worker: str | None = None,
        values: Mapping[str, Any] | None = None,
        account: Mapping[str, Any] | None = None,
    ) -> Job | None:
        """Move the one job that `which` matches from `old` to `new`; None where it is no longer in `old`.

        A caller that ends a job calls `handover.prepare` before it locks any row. `values` are further columns of its
        row, `account` those of its account. A move into or out of a queue updates the queue's counts. A move to an end
        closes the account, records the webhook that the client asked for, and goes on with the job's workflow. A job
        without files stores no bytes but those that it keeps for another try.
        """
        if new not in MOVES[old]:
            raise AssertionError(f"{old} -> {new} is not a legal move")
        columns = {**({"stored_bytes": 0} if new in WITHOUT_FILES else {}), **(values or {})}
        update = jobs.update().where(which, jobs.c.state == str(old)).values(state=str(new), **columns)
        row = self.connection.execute(update.returning(jobs)).mappings().one_or_none()
        if row is None:
            return None
        job = to_job(row)
        if kept := bytes_of(job.kept_inputs):
            self.connection.execute(jobs.update().where(jobs.c.id == job.id).values(stored_bytes=kept))
            job = replace(job, stored_bytes=kept)
        text = why if isinstance(why, str) else why(job)
        if JobState.QUEUED in (old, new) and job.pool != INPUTS:
            change = 1 if new is JobState.QUEUED else -1
            published = 0 if job.published_at is None else change
            place = fair_queue.Place(job.pool, job.priority, job.owner)
            fair_queue.count(self.connection, {place: fair_queue.Change(change, published)})
        append(self.connection, job.id, str(old), new, text, worker)
        if new in ENDS:
            closed = {"state": str(new), "ended_at": db_now(), **(account or {})}
            self.connection.execute(usage.update().where(usage.c.job_id == job.id).values(closed))
            announce(self.connection, job, f"job.{new}")
        self.moved.append(Moved(job, old, text))
        if new in ENDS and job.workflow_id is not None:
            self._handover.ended(job)
        return job

    def serve(self, job_id: str, other: Job | None, other_id: str) -> None:
        """Serve a job of a workflow that waits in vain; see `Handover.mend`."""
        self._handover.mend(job_id, other, other_id)

    def share(self, job: Job, copies: Copies) -> None:
        """Serve the jobs that wait for what this one has fetched; see `Handover.fetched`."""
        self._handover.fetched(job, copies)

    def _end_waiting(self, job_id: str, new: JobState, why: str, values: Mapping[str, Any]) -> None:
        self.transition(jobs.c.id == job_id, JobState.QUEUED, new, why, values=values)


class Moves:
    """Makes such transactions and notifies the subscribers of committed moves. Safe to share between threads."""

    def __init__(self, engine: sa.Engine, subscribers: Sequence[Subscriber] = ()) -> None:
        self._engine = engine
        self._subscribers = tuple(subscribers)
        self._unsure: deque[Moved] = deque()  # ends whose commit had no answer; threads take them one by one

    @contextmanager
    def begin(self, later: list[Moved] | None = None) -> Iterator[Transaction]:
        """A transaction that is committed when the context ends without an error; then its moves are published.

        With `later`, its moves are added to that list instead: the caller must `publish` them.
        """
        transaction, committing = None, False
        try:
            with translated(), self._engine.begin() as connection:
                transaction = Transaction(connection)
                yield transaction
                committing = True
        except TransientError:
            if committing and transaction:
                self._unsure.extend(moved for moved in transaction.moved if moved.ended)
            raise
        if later is None:
            self.publish(transaction.moved)
        else:
            later.extend(transaction.moved)
        self.settle()

    def settle(self) -> None:
        """Publish the ends whose commit had no answer and that the store has. Raises the store's `TransientError`."""
        unsure: list[Moved] = []
        with suppress(IndexError):
            while True:
                unsure.append(self._unsure.popleft())
        if not unsure:
            return
        try:
            with reading(self._engine) as connection:
                rows = [(moved, find(connection, moved.job.id)) for moved in unsure]
        except TransientError:
            self._unsure.extend(unsure)
            raise
        self.publish([moved for moved, job in rows if job and _same_end(job, moved.job)])

    def publish(self, moved: Sequence[Moved]) -> None:
        """Notify every subscriber of committed moves. An exception of a subscriber is logged, and the others go on."""
        for each in moved:
            for subscriber in self._subscribers:
                try:
                    subscriber(each)
                except Exception:
                    get_logger().exception("a subscriber failed", job_id=each.job.id, state=str(each.job.state))


def _same_end(job: Job, ended: Job) -> bool:
    return job.state is ended.state and job.attempt == ended.attempt and job.error_code == ended.error_code
