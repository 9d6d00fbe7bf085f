"""The job store: the one place that writes a job's row, every move a single conditional UPDATE."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from stemsvc.errors import TransientError
from stemsvc.jobs import Job, JobState, JobView, Lease
from stemsvc.jobstore.cached import find_cached
from stemsvc.jobstore.ending import announce
from stemsvc.jobstore.engine import connect, snapshot, translated
from stemsvc.jobstore.glance import Glance, glances
from stemsvc.jobstore.intake import Intake
from stemsvc.jobstore.keys import Keys
from stemsvc.jobstore.listing import Filter, Page, page
from stemsvc.jobstore.outbox import Outbox
from stemsvc.jobstore.rows import append, find, is_due, move, to_job, view
from stemsvc.jobstore.tables import db_now, jobs, usage
from stemsvc.jobstore.uploads import Uploads
from stemsvc.jobstore.usage import Usage
from stemsvc.jobstore.webhooks import Webhooks

_WORKER_LOST = "the worker fell silent and its lease ran out"


@dataclass(frozen=True)
class Origin:
    """What a result was made from, and where that is written down."""

    input_sha256: str | None = None
    cache_key: str | None = None
    cached: bool = False  # taken from an earlier job's
    manifest_key: str | None = None


class JobStore:
    """Jobs and their timelines in SQL. Safe to share between threads; make one per process, after any fork.

    `intake` makes the rows of new jobs, `outbox` knows which of them have a message, `keys` are the clients', as are
    `uploads`, `usage` and `webhooks`; the moves are here. `tell` is called with a job's id after each change of it.
    """

    def __init__(self, url: str, tell: Callable[[str], None] | None = None) -> None:
        self._engine = connect(url)
        self._tell = tell or (lambda job_id: None)
        self.intake = Intake(self._engine)
        self.outbox = Outbox(self._engine)
        self.keys = Keys(self._engine)
        self.uploads = Uploads(self._engine)
        self.usage = Usage(self._engine)
        self.webhooks = Webhooks(self._engine)

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()

    def ping(self) -> None:
        """Raise `TransientError` `store_unavailable` unless the store answers and has its tables."""
        with snapshot(self._engine) as connection:
            connection.execute(sa.select(jobs.c.id).limit(1))

    def get(self, job_id: str) -> Job | None:
        """The job, or None where there is none of that id."""
        with snapshot(self._engine) as connection:
            return find(connection, job_id)

    def view(self, job_id: str) -> JobView | None:
        """The job with its timeline and place in the queue, all of one moment; None where there is no such job."""
        with snapshot(self._engine) as connection:
            job = find(connection, job_id)
            return view(connection, job) if job else None

    def recent(self, limit: int = 50) -> list[Job]:
        """The newest jobs, newest first."""
        query = sa.select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.id).limit(limit)
        with snapshot(self._engine) as connection:
            return [to_job(row) for row in connection.execute(query).mappings()]

    def page(self, which: Filter, limit: int, cursor: str | None = None) -> Page:
        """The newest jobs that `which` lets through, after `cursor`. Raises `UsageError` `bad_cursor`."""
        with snapshot(self._engine) as connection:
            return page(connection, which, limit, cursor)

    def glances(self, job_ids: Sequence[str]) -> dict[str, Glance]:
        """How these jobs stand; those that don't exist are left out."""
        with snapshot(self._engine) as connection:
            return glances(connection, job_ids)

    def find_cached(self, owner: str, cache_key: str) -> Job | None:
        """The owner's newest job that succeeded with this key and still has its stems."""
        with snapshot(self._engine) as connection:
            return find_cached(connection, owner, cache_key)

    def live(self) -> tuple[float, list[Job]]:
        """The database's time, and every queued or running job, oldest first."""
        query = sa.select(jobs).where(jobs.c.state.in_(("queued", "running"))).order_by(jobs.c.created_at, jobs.c.id)
        with snapshot(self._engine) as connection:
            now = float(connection.execute(sa.select(db_now())).scalar_one())
            return now, [to_job(row) for row in connection.execute(query).mappings()]

    # --- the worker's writes: each carries the lease ------------------------------------------------------------

    def take_lease(self, job_id: str, worker: str, seconds: float) -> tuple[Job, Lease] | None:
        """queued -> running for exactly one caller; None for everyone else, who must drop the message.

        A job that pauses before its next attempt is nobody's: its message is sent when the pause is over.
        """
        values = {
            "attempt": jobs.c.attempt + 1, "lease_owner": worker, "lease_expires_at": db_now() + seconds,
            "started_at": db_now(), "fraction": 0.0, "stage": "starting", "not_before": None,
        }  # fmt: skip
        with translated(), self._engine.begin() as connection:
            due = sa.and_(jobs.c.id == job_id, is_due())
            if not move(connection, due, JobState.QUEUED, JobState.RUNNING, values):
                return None
            job = _load(connection, job_id)
            append(connection, job_id, "queued", JobState.RUNNING, f"attempt {job.attempt} started", worker)
        self._tell(job_id)
        return job, Lease(job_id, job.attempt, worker)

    def heartbeat(self, lease: Lease, seconds: float, fraction: float, stage: str) -> bool:
        """Extend the lease and record progress; False means that the job is no longer the caller's."""
        values = {"lease_expires_at": db_now() + seconds, "fraction": fraction, "stage": stage}
        with translated(), self._engine.begin() as connection:
            held = connection.execute(jobs.update().where(_held(lease)).values(values)).rowcount == 1
        self._tell(lease.job_id)
        return held

    def announce(self, lease: Lease, type: str) -> None:
        """Have the client told of something on the way, if it asked for that and the job is still the caller's."""
        with translated(), self._engine.begin() as connection:
            if connection.execute(sa.select(jobs.c.id).where(_held(lease))).first():
                announce(connection, lease.job_id, type)

    def hand_on(self, lease: Lease, key: str, name: str, bytes: int, seconds: float | None) -> bool:
        """running -> queued in the pool that separates, the track being fetched; False where the lease is stale.

        The attempt does not count. `seconds` is the track's length where it is known.
        """
        values = {
            **_UNLEASED, "pool": jobs.c.next_pool, "next_pool": None, "input_key": key, "input_name": name,
            "input_bytes": bytes, "stage": "queued", "fraction": 0.0, "max_attempts": jobs.c.max_attempts + 1,
        }  # fmt: skip
        with translated(), self._engine.begin() as connection:
            fetched = sa.and_(_held(lease), jobs.c.next_pool.is_not(None))
            if not move(connection, fetched, JobState.RUNNING, JobState.QUEUED, values):
                return False
            append(connection, lease.job_id, "running", JobState.QUEUED, f"fetched {bytes} bytes", lease.owner)
            if seconds is not None:
                account = usage.update().where(usage.c.job_id == lease.job_id)
                connection.execute(account.values(track_seconds=seconds))
        self._tell(lease.job_id)
        return True

    def succeed(
        self, lease: Lease, source: Mapping[str, Any], outputs: Mapping[str, Any], origin: Origin | None = None
    ) -> bool:
        """running -> succeeded with the keys of this attempt; False where the lease is stale."""
        origin = origin or Origin()
        values = {
            "source": dict(source), "outputs": dict(outputs), "fraction": 1.0, "stage": "done",
            "input_sha256": origin.input_sha256, "cache_key": origin.cache_key, "cached": origin.cached,
            "manifest_key": origin.manifest_key,
        }  # fmt: skip
        account = {"track_seconds": float(source.get("duration_seconds", 0.0)), "cached": origin.cached}
        why = f"{len(outputs)} stems stored" + (", taken from an earlier job" if origin.cached else "")
        return self._end(lease, JobState.SUCCEEDED, why, values, account)

    def fail(self, lease: Lease, code: str, detail: str) -> bool:
        """running -> failed with a stable code; False where the lease is stale."""
        values = {"error_code": code, "error_detail": detail, "stage": "failed"}
        return self._end(lease, JobState.FAILED, f"{code}: {detail}", values)

    def give_back(self, lease: Lease, why: str, pause: float, *, counted: bool = True) -> bool:
        """running -> queued, to be published again after `pause` seconds; False where the lease is stale.

        An attempt that is not `counted`, since it was none of the job's doing, makes room for another one.
        """
        values = {**_UNLEASED, "not_before": db_now() + pause, "stage": "queued", "fraction": 0.0}
        if not counted:
            values["max_attempts"] = jobs.c.max_attempts + 1
        return self._leave(lease, JobState.QUEUED, why, values)

    def _end(
        self, lease: Lease, state: JobState, why: str, values: dict[str, Any], account: dict[str, Any] | None = None
    ) -> bool:
        ended = {**values, "lease_expires_at": None, "finished_at": db_now()}
        return self._leave(lease, state, why, ended, account)

    def _leave(
        self, lease: Lease, state: JobState, why: str, values: dict[str, Any], account: dict[str, Any] | None = None
    ) -> bool:
        with translated(), self._engine.begin() as connection:
            moved = move(connection, _held(lease), JobState.RUNNING, state, values)
            if moved:
                if account:
                    connection.execute(usage.update().where(usage.c.job_id == lease.job_id).values(account))
                append(connection, lease.job_id, "running", state, why, lease.owner)
        if moved:
            self._tell(lease.job_id)
        return moved

    # --- everyone else's ----------------------------------------------------------------------------------------

    def cancel(self, job_id: str, why: str) -> bool:
        """Move a queued or running job to canceled; its worker learns of it at the next heartbeat."""
        values = {"finished_at": db_now(), "stage": "canceled", "lease_expires_at": None}
        canceled = False
        with translated(), self._engine.begin() as connection:
            for state in (JobState.QUEUED, JobState.RUNNING):
                if move(connection, jobs.c.id == job_id, state, JobState.CANCELED, values):
                    append(connection, job_id, state, JobState.CANCELED, why, None)
                    canceled = True
                    break
        if canceled:
            self._tell(job_id)
        return canceled

    def delete(self, job_id: str) -> bool:
        """Forget a job and its timeline; False where there is none."""
        with translated(), self._engine.begin() as connection:
            return connection.execute(jobs.delete().where(jobs.c.id == job_id)).rowcount == 1

    def expire(self, seconds: float) -> list[str]:
        """succeeded -> expired for jobs that ended longer than `seconds` ago; returns the ids of those moved here."""
        old = sa.and_(jobs.c.state == "succeeded", jobs.c.finished_at < db_now() - seconds)
        moved: list[str] = []
        with translated(), self._engine.begin() as connection:
            for job_id in connection.execute(sa.select(jobs.c.id).where(old)).scalars().all():
                values: dict[str, Any] = {"outputs": {}, "stage": "expired", "manifest_key": None}
                if move(connection, jobs.c.id == job_id, JobState.SUCCEEDED, JobState.EXPIRED, values):
                    append(connection, job_id, "succeeded", JobState.EXPIRED, "the stems had their time", None)
                    moved.append(job_id)
        return moved

    def forget(self, seconds: float) -> int:
        """Delete the rows of jobs without stems that ended longer than `seconds` ago; returns how many."""
        ended = jobs.c.state.in_(("failed", "canceled", "expired"))
        with translated(), self._engine.begin() as connection:
            old = sa.and_(ended, jobs.c.finished_at < db_now() - seconds)
            return connection.execute(jobs.delete().where(old)).rowcount

    def take_back(self, lease: Lease, why: str, *, counted: bool = True) -> Job | None:
        """Take a running job from the worker that holds this lease, as `reap` does; None for a stale lease."""
        with translated(), self._engine.begin() as connection:
            job = find(connection, lease.job_id)
            return _take_back(connection, job, _held(lease), why, counted) if job else None

    def reap(self, patience: float = 1.0) -> list[Job]:
        """Return jobs whose lease ran out to the queue, or fail them as `worker_lost` after the last attempt.

        Raises `TransientError` `store_busy`, and reaps nothing, where it had to wait for the store for more than
        `patience` seconds: the workers waited too, to renew their leases.
        """
        asked = time.monotonic()
        expired = sa.and_(jobs.c.state == "running", jobs.c.lease_expires_at < db_now())
        with translated(), self._engine.begin() as connection:
            if time.monotonic() - asked > patience:
                raise TransientError("store_busy", "the job store was busy for so long that no lease can be told lost")
            found = [to_job(row) for row in connection.execute(sa.select(jobs).where(expired)).mappings().all()]
            which = [sa.and_(expired, jobs.c.id == job.id, jobs.c.attempt == job.attempt) for job in found]
            taken = (_take_back(connection, job, same, _WORKER_LOST) for job, same in zip(found, which, strict=True))
            return [job for job in taken if job]


def _take_back(
    connection: sa.Connection, job: Job, which: sa.ColumnElement[bool], why: str, counted: bool = True
) -> Job | None:
    """running -> queued, or -> failed where the attempt counts and was the last; None where `which` fits no more."""
    if job.attempt < job.max_attempts or not counted:
        state, values = JobState.QUEUED, {**_UNLEASED, "stage": "queued", "fraction": 0.0}
        if not counted:
            values["max_attempts"] = jobs.c.max_attempts + 1
    else:
        state, why = JobState.FAILED, f"worker_lost: {why}, {job.attempt} times"
        values = {
            "error_code": "worker_lost", "error_detail": why, "stage": "failed", "finished_at": db_now(),
            "lease_expires_at": None,
        }  # fmt: skip
    if not move(connection, which, JobState.RUNNING, state, values):
        return None
    append(connection, job.id, "running", state, why, job.lease_owner)
    return _load(connection, job.id)


_UNLEASED: dict[str, Any] = {"lease_owner": None, "lease_expires_at": None, "published_at": None}


def _held(lease: Lease) -> sa.ColumnElement[bool]:
    return sa.and_(jobs.c.id == lease.job_id, jobs.c.state == "running", jobs.c.attempt == lease.attempt)


def _load(connection: sa.Connection, job_id: str) -> Job:
    job = find(connection, job_id)
    assert job is not None  # it was written in this very transaction
    return job
