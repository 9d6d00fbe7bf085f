"""The worker's writes to a job's row: each carries the lease, and changes nothing where it is stale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from stemsvc.jobs.record import Job, JobState, Lease
from stemsvc.jobstore import fair_queue
from stemsvc.jobstore.endings import announce
from stemsvc.jobstore.engine import translated
from stemsvc.jobstore.rows import append, find, is_due, move
from stemsvc.jobstore.tables import db_now, jobs, usage

UNLEASED: dict[str, Any] = {"lease_owner": None, "lease_expires_at": None, "published_at": None}


@dataclass(frozen=True)
class Origin:
    """What a result was made from, and where that is written down."""

    input_sha256: str | None = None
    cache_key: str | None = None
    cached: bool = False  # taken from an earlier job's
    manifest_key: str | None = None


class WorkerSide:
    """The half of `JobStore` that workers use."""

    _engine: sa.Engine
    _tell: Callable[[str], None]

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
            job = load(connection, job_id)
            append(connection, job_id, "queued", JobState.RUNNING, f"attempt {job.attempt} started", worker)
        self._tell(job_id)
        return job, Lease(job_id, job.attempt, worker)

    def heartbeat(self, lease: Lease, seconds: float, fraction: float, stage: str) -> bool:
        """Extend the lease and record progress; False means that the job is no longer the caller's."""
        values = {"lease_expires_at": db_now() + seconds, "fraction": fraction, "stage": stage}
        with translated(), self._engine.begin() as connection:
            kept = connection.execute(jobs.update().where(held(lease)).values(values)).rowcount == 1
        self._tell(lease.job_id)
        return kept

    def announce(self, lease: Lease, type: str) -> None:
        """Have the client told of something on the way, if it asked for that and the job is still the caller's."""
        with translated(), self._engine.begin() as connection:
            if connection.execute(sa.select(jobs.c.id).where(held(lease))).first():
                announce(connection, lease.job_id, type)

    def hand_on(
        self, lease: Lease, key: str, name: str, bytes: int, seconds: float | None, cost: float | None = None
    ) -> bool:
        """running -> queued in the pool that separates, the track being fetched; False where the lease is stale.

        The attempt does not count. `seconds` is the track's length where it is known, `cost` what it will cost.
        """
        values = {
            **UNLEASED, "pool": jobs.c.next_pool, "next_pool": None, "input_key": key, "input_name": name,
            "input_bytes": bytes, "stage": "queued", "fraction": 0.0, "max_attempts": jobs.c.max_attempts + 1,
        }  # fmt: skip
        with translated(), self._engine.begin() as connection:
            fetched = sa.and_(held(lease), jobs.c.next_pool.is_not(None))
            job = find(connection, lease.job_id)
            if job is None or job.next_pool is None:
                return False
            turns = fair_queue.Turns(connection)
            values["cost"] = cost or job.cost
            values["turn"] = turns.take(fair_queue.Place(job.next_pool, job.priority, job.owner), values["cost"])
            if not move(connection, fetched, JobState.RUNNING, JobState.QUEUED, values):
                return False
            turns.keep()
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

    def give_back(self, lease: Lease, why: str, pause: float, *, counted: bool = True, pool: str | None = None) -> bool:
        """running -> queued, to be published again after `pause` seconds; False where the lease is stale.

        An attempt that is not `counted`, since it was none of the job's doing, makes room for another one. `pool` is
        where it goes on, if not where it was.
        """
        values = {**UNLEASED, "not_before": db_now() + pause, "stage": "queued", "fraction": 0.0}
        if not counted:
            values["max_attempts"] = jobs.c.max_attempts + 1
        if pool is not None:
            values["pool"] = pool
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
            moved = move(connection, held(lease), JobState.RUNNING, state, values)
            if moved:
                if account:
                    connection.execute(usage.update().where(usage.c.job_id == lease.job_id).values(account))
                append(connection, lease.job_id, "running", state, why, lease.owner)
        if moved:
            self._tell(lease.job_id)
        return moved


def held(lease: Lease) -> sa.ColumnElement[bool]:
    """Whether the lease is the job's."""
    return sa.and_(jobs.c.id == lease.job_id, jobs.c.state == "running", jobs.c.attempt == lease.attempt)


def load(connection: sa.Connection, job_id: str) -> Job:
    """A job that was written in this very transaction."""
    job = find(connection, job_id)
    assert job is not None
    return job
