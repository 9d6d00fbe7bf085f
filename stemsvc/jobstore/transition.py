"""The one funnel for a job's state: the move, its timeline line, its account and its webhooks, in one transaction.

Whoever subscribed hears of a move after its commit, and only then. Of an end whose commit had no answer they hear when
a later transaction finds that it stands.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog

from stemsvc.errors import TransientError
from stemsvc.jobs.record import MOVES, Job, JobState
from stemsvc.jobstore import fair_queue
from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.rows import append, find, to_job
from stemsvc.jobstore.tables import db_now, jobs, usage, webhook_deliveries

log = structlog.get_logger()
ENDS = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED)


@dataclass(frozen=True)
class Moved:
    """A move that was committed. `job` is as it stood right after it; `old` is None where it was accepted."""

    job: Job
    old: JobState | None
    why: str

    @property
    def ended(self) -> bool:
        """Whether the job reached its end by this move."""
        return self.job.state in ENDS


Subscriber = Callable[[Moved], None]
Why = str | Callable[[Job], str]  # what the timeline says; a function is asked once the job has moved


class Transaction:
    """A transaction in which jobs move. `connection` is for what else belongs to it."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.moved: list[Moved] = []

    def transition(
        self, which: sa.ColumnElement[bool], old: JobState, new: JobState, why: Why, *, worker: str | None = None,
        values: Mapping[str, Any] | None = None, account: Mapping[str, Any] | None = None,
    ) -> Job | None:  # fmt: skip
        """Move the one job that `which` names from `old` to `new`; None where it is not in `old` any more.

        `values` are further columns of its row, `account` of its account. The places of the fair queue that it comes
        to or leaves are counted, its end closes the account and makes the webhook that its client asked for.
        """
        if new not in MOVES[old]:
            raise AssertionError(f"{old} -> {new} is not a legal move")
        update = jobs.update().where(which, jobs.c.state == str(old)).values(state=str(new), **(values or {}))
        row = self.connection.execute(update.returning(jobs)).mappings().one_or_none()
        if row is None:
            return None
        job = to_job(row)
        words = why if isinstance(why, str) else why(job)
        if JobState.QUEUED in (old, new):
            change = 1 if new is JobState.QUEUED else -1
            published = 0 if job.published_at is None else change
            place = fair_queue.Place(job.pool, job.priority, job.owner)
            fair_queue.count(self.connection, {place: fair_queue.Change(change, published)})
        append(self.connection, job.id, str(old), new, words, worker)
        if new in ENDS:
            closed = {"state": str(new), "ended_at": db_now(), **(account or {})}
            self.connection.execute(usage.update().where(usage.c.job_id == job.id).values(closed))
            announce(self.connection, job, f"job.{new}")
        self.moved.append(Moved(job, old, words))
        return job


class Moves:
    """Makes such transactions and tells of what was committed. Safe to share between threads."""

    def __init__(self, engine: sa.Engine, subscribers: Sequence[Subscriber] = ()) -> None:
        self._engine = engine
        self._subscribers = tuple(subscribers)
        self._unsure: list[Moved] = []  # ends whose commit had no answer

    @contextmanager
    def begin(self, later: list[Moved] | None = None) -> Iterator[Transaction]:
        """A transaction that is committed when the context ends without an error, and then told of.

        With `later` its moves are put there instead, for the caller to `publish`.
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
        """Tell of ends whose commit had no answer and that turn out to stand. Raises the store's `TransientError`."""
        if not self._unsure:
            return
        unsure, self._unsure = self._unsure, []
        try:
            with reading(self._engine) as connection:
                rows = [(moved, find(connection, moved.job.id)) for moved in unsure]
        except TransientError:
            self._unsure.extend(unsure)
            raise
        self.publish([moved for moved, job in rows if job and _same_end(job, moved.job)])

    def publish(self, moved: Sequence[Moved]) -> None:
        """Tell every subscriber of moves that were committed; what one of them raises is logged."""
        for each in moved:
            for subscriber in self._subscribers:
                try:
                    subscriber(each)
                except Exception:
                    log.exception("a subscriber failed", job_id=each.job.id, state=str(each.job.state))


def _same_end(job: Job, ended: Job) -> bool:
    return job.state is ended.state and job.attempt == ended.attempt and job.error_code == ended.error_code


def announce(connection: sa.Connection, job: Job, type: str) -> None:
    """Have a webhook sent, where the job's client asked for this type."""
    url = job.envelope.webhook_url
    if not url or type not in job.envelope.webhook_events:
        return
    values = {
        "id": f"msg_{uuid.uuid4().hex}", "job_id": job.id, "owner": job.owner, "url": url, "type": type,
        "state": "pending", "attempt": 0, "created_at": db_now(), "first_at": db_now(), "next_at": db_now(),
    }  # fmt: skip
    connection.execute(webhook_deliveries.insert().values(values))
