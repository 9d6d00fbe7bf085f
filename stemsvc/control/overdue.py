"""Jobs that have been in their state for too long, and why. `stemsvc jobs stuck` lists them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from stemsvc.errors import TransientError
from stemsvc.jobs.pools import INPUTS, queue_of
from stemsvc.jobs.record import Job, JobState, Priority
from stemsvc.jobstore import JobStore
from stemsvc.queue.celery import Publisher

SWEEPS = 5  # of the dispatcher: it does not repair what it has not repaired by then


@dataclass(frozen=True)
class Stuck:
    """A job, for how many seconds it has been overdue, and what is wrong."""

    job: Job
    seconds: float
    why: str


def find_stuck(
    store: JobStore, publisher: Publisher, *, sweep_seconds: float, republish_seconds: float, time_limit: float
) -> list[Stuck]:
    """Every live job that is overdue, oldest first. Raises the store's `TransientError`.

    Times are in seconds: the pause between the dispatcher's sweeps, its patience with a message, what a job may take.
    """
    now, live = store.live()
    patience = SWEEPS * sweep_seconds + republish_seconds
    running = [job for job in live if job.state is JobState.RUNNING]
    waiting = [job for job in live if job.state is JobState.QUEUED and job.pool != INPUTS]
    queued = [job for job in waiting if (job.not_before or 0) <= now]
    return [
        *(stuck for job in running for stuck in _overdue_running(job, now, patience, time_limit)),
        *_overdue_queued(queued, now, patience, publisher, store),
    ]


def _overdue_running(job: Job, now: float, patience: float, time_limit: float) -> Iterator[Stuck]:
    silent = now - (job.lease_expires_at or now)
    if silent > patience:
        yield Stuck(job, silent, "its worker is silent and no dispatcher took the job back: is one running?")
        return
    over = now - (job.started_at or now) - time_limit
    if over > patience:
        yield Stuck(job, over, f"in stage {job.stage} for longer than any job should be")


def _overdue_queued(
    queued: list[Job], now: float, patience: float, publisher: Publisher, store: JobStore
) -> Iterator[Stuck]:
    """Jobs whose message is lost, and jobs that no worker takes. The other jobs of a queue wait for their turn."""
    published = Counter(_queue(job) for job in queued if job.published_at and now - job.published_at > patience)
    faults = {queue: _fault(queue, count, publisher) for queue, count in published.items()}
    slots, rooms = store.workers.slots(), store.outbox.rooms()
    for job in queued:
        since = job.published_at or max(job.created_at, job.not_before or 0)
        if now - since <= patience:
            continue
        if job.published_at is None and job.pool in rooms:
            yield Stuck(job, now - since, "it has no message and no dispatcher sends one: does the broker answer?")
        elif job.published_at is not None and (fault := faults[_queue(job)]):
            yield Stuck(job, now - since, fault)
        elif not slots.get(job.pool):
            yield Stuck(job, now - since, f"the pool {job.pool} has no live worker")


def _queue(job: Job) -> str:
    return queue_of(job.pool, Priority(job.priority))


def _fault(queue: str, published: int, publisher: Publisher) -> str | None:
    try:
        if publisher.backlog(queue) < published:
            return "its message is gone and no dispatcher sends it again: is one running?"
        if not publisher.consumers(queue):
            return f"no worker answers for {queue}"
    except TransientError as error:
        return error.detail
    return None
