"""What a worker writes to a job's row. Each write carries the lease, and changes nothing where the lease is stale."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from stemsvc.errors import StoreBusy, WorkerLost
from stemsvc.jobs.pools import INPUTS
from stemsvc.jobs.record import ENDS, Job, JobState, Lease
from stemsvc.jobs.spec import Input
from stemsvc.jobs.warnings import JobWarning, to_json
from stemsvc.jobstore import quota
from stemsvc.jobstore.announcements import announce
from stemsvc.jobstore.bounds import OwnLimits, check_stored, lock_owners
from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.fair_queue import Place, Turns
from stemsvc.jobstore.handover import Copies, prepare
from stemsvc.jobstore.locks import Lock, hold
from stemsvc.jobstore.rows import bytes_of, find, is_due, to_job
from stemsvc.jobstore.tables import db_now, jobs, pool_drains
from stemsvc.jobstore.transition import Moved, Moves, Transaction
from stemsvc.jobstore.workers import died_whole

# A job that kills its pool process kills only that one: `max_attempts` such deaths end it. Where a whole worker died
# the job is hardly to blame, so the attempt does not count, unless this was its attempt of that number or a later one:
# a job that exhausts the memory may take a whole container with it.
WHOLE_WORKERS = 8
_WORKER_LOST = "the worker fell silent and its lease ran out"
UNLEASED: dict[str, Any] = {"lease_owner": None, "lease_expires_at": None, "published_at": None}


@dataclass(frozen=True)
class Origin:
    """What a result was made from, and the storage key of the manifest that records it."""

    input_sha256: str | None = None
    cache_key: str | None = None
    cached: bool = False  # whether the files were taken from an earlier job
    manifest_key: str | None = None


class Leases:
    """What an attempt may write, from taking the job to its end. `heartbeat` calls `progressed` with the job's id.

    `max_stored_bytes` is what an owner may store whose key does not say it; 0: any number.
    """

    def __init__(
        self, engine: sa.Engine, moves: Moves, progressed: Callable[[str], None], max_stored_bytes: int = 0
    ) -> None:
        self._engine = engine
        self._moves = moves
        self._progressed = progressed
        self._max_stored_bytes = max_stored_bytes

    def take(self, job_id: str, worker: str, seconds: float) -> tuple[Job, Lease] | None:
        """queued -> running for exactly one caller. Every other caller gets None and must drop the message.

        Nobody can take a job that pauses before its next attempt, that waits for inputs, or whose pool is drained: its
        message is sent later.
        """
        values = {
            "attempt": jobs.c.attempt + 1,
            "lease_owner": worker,
            "lease_expires_at": db_now() + seconds,
            "started_at": db_now(),
            "fraction": 0.0,
            "stage": "starting",
            "expected_at": None,
            "not_before": None,
        }
        drained = sa.select(pool_drains.c.pool).where(pool_drains.c.pool == jobs.c.pool).exists()
        due = sa.and_(jobs.c.id == job_id, jobs.c.pool != INPUTS, is_due(), ~drained)
        with self._moves.begin() as moving:
            job = moving.transition(
                due,
                JobState.QUEUED,
                JobState.RUNNING,
                lambda job: f"attempt {job.attempt} started",
                worker=worker,
                values=values,
            )
        return None if job is None else (job, Lease(job_id, job.attempt, worker))

    def heartbeat(self, lease: Lease, seconds: float, fraction: float, stage: str, left: float | None = None) -> bool:
        """Extend the lease and record progress; False means that the job is no longer the caller's.

        `left` is the time in seconds until its segments are done; None where there is no pace yet.
        """
        values = {
            "lease_expires_at": db_now() + seconds,
            "fraction": fraction,
            "stage": stage,
            "expected_at": None if left is None else db_now() + left,
        }
        with translated(), self._engine.begin() as connection:
            kept = connection.execute(jobs.update().where(held(lease)).values(values)).rowcount == 1
        self._progressed(lease.job_id)
        return kept

    def announce(self, lease: Lease, type: str) -> None:
        """Record a webhook of this type for delivery, if the client asked for it and the job is still the caller's."""
        with translated(), self._engine.begin() as connection:
            # until the commit the job can neither end nor be deleted; SQLite ignores FOR UPDATE
            row = connection.execute(sa.select(jobs).where(held(lease)).with_for_update()).mappings().first()
            if row is not None:
                announce(connection, to_job(row), type)

    def hand_on(
        self,
        lease: Lease,
        inputs: Sequence[Input],
        seconds: float | None,
        cost: float | None = None,
        copies: Copies | None = None,
    ) -> bool:
        """running -> queued in the pool that does the work, its inputs fetched; False where the lease is stale.

        The attempt does not count. `seconds` is the track's length where it is known, `cost` the job's predicted device
        time in seconds; None keeps the one before. `copies` are those that other jobs of its workflow get of what it
        fetched. Raises what `charge` raises, `UsageError` `file_too_large` and `TransientError` `key_storage_full`
        where the owner may not store the inputs.
        """
        first = inputs[0]
        values = {
            **UNLEASED,
            "pool": jobs.c.next_pool,
            "next_pool": None,
            "inputs": [asdict(each) for each in inputs],
            "input_key": first.key,
            "input_name": first.name,
            "input_bytes": first.bytes,
            "stored_bytes": bytes_of(inputs),
            "stage": "queued",
            "fraction": 0.0,
            "max_attempts": jobs.c.max_attempts + 1,
        }
        fetched = sa.and_(held(lease), jobs.c.next_pool.is_not(None))
        why = f"fetched {sum(each.bytes for each in inputs)} bytes"
        with self._moves.begin() as moving:
            prepare(moving.connection, jobs.c.id == lease.job_id)
            hold(moving.connection, Lock.QUEUES)  # two turns given at once would be the same turn
            job = find(moving.connection, lease.job_id)
            if job is None or job.next_pool is None:
                return False
            copied = sum(each.bytes for each in (copies or {}).values())
            self._check_owner(moving.connection, job, bytes_of(inputs) + copied, seconds)
            turns = Turns(moving.connection)
            values["cost"] = cost or job.cost
            values["turn"] = turns.take(Place(job.next_pool, job.priority, job.owner), values["cost"])
            if not moving.transition(
                fetched, JobState.RUNNING, JobState.QUEUED, why, worker=lease.owner, values=values
            ):
                return False
            turns.keep()
            if seconds is not None:
                quota.count(moving.connection, job.id, seconds)
            if copies:
                moving.share(job, copies)
        return True

    def _check_owner(self, connection: sa.Connection, job: Job, bytes: int, seconds: float | None) -> None:
        """Raise where the job's owner may not have inputs of so many bytes, or so long ones."""
        own = OwnLimits.of(connection, job.owner)
        lock_owners(connection, [job.owner])
        check_stored(connection, job.owner, bytes - bytes_of(job.inputs), own.most_stored(self._max_stored_bytes))
        if seconds is not None:
            quota.check_length(connection, job.id, job.owner, seconds, own)

    def charge(self, lease: Lease, seconds: float) -> None:
        """Count the job's track with its true length, before a device computes it.

        Raises `UsageError` `track_exceeds_quota` or `TransientError` `quota_exceeded` where that is more than its owner
        may send in a day.
        """
        with reading(self._engine) as connection:
            job = find(connection, lease.job_id)
            own = OwnLimits.of(connection, job.owner) if job else OwnLimits()
        if job is None or own.minutes_per_day is None:
            return  # `succeed` notes the length
        with translated(), self._engine.begin() as connection:
            lock_owners(connection, [job.owner])
            quota.check_length(connection, job.id, job.owner, seconds, own)
            quota.count(connection, job.id, seconds)

    def succeed(
        self,
        lease: Lease,
        source: Mapping[str, Any],
        outputs: Mapping[str, Any],
        origin: Origin | None = None,
        facts: Mapping[str, Any] | None = None,
        noun: str = "files",
        warnings: Sequence[JobWarning] | None = None,
        params: Mapping[str, Any] | None = None,
        previews: Mapping[str, Any] | None = None,
    ) -> bool:
        """running -> succeeded with the outputs of this attempt; False where the lease is stale.

        `noun` names the outputs in the timeline. `warnings` are all that the job has from now on; None leaves it those
        that it was made with. `params` are those that the attempt took instead of the row's. `previews` are shown to
        players alone.
        """
        origin = origin or Origin()
        values = {
            "source": dict(source),
            "outputs": dict(outputs),
            "previews": dict(previews or {}),
            "facts": dict(facts or {}),
            "fraction": 1.0,
            "stage": "done",
            "input_sha256": origin.input_sha256,
            "cache_key": origin.cache_key,
            "cached": origin.cached,
            "manifest_key": origin.manifest_key,
            "stored_bytes": sum(int(each.get("bytes", 0)) for each in (*outputs.values(), *(previews or {}).values())),
        }
        if warnings is not None:
            values["warnings"] = to_json(warnings)
        if params is not None:
            values["params"] = dict(params)
        account = {"track_seconds": float(source.get("duration_seconds", 0.0)), "cached": origin.cached}
        why = f"{len(outputs)} {noun} stored" + (", taken from an earlier job" if origin.cached else "")
        return self._end(lease, JobState.SUCCEEDED, why, values, account)

    def is_committed(self, lease: Lease) -> bool:
        """Whether this attempt's success is in the store: a commit whose answer was lost may have succeeded."""
        self._moves.settle()
        with reading(self._engine) as connection:
            job = find(connection, lease.job_id)
        return job is not None and job.state is JobState.SUCCEEDED and job.attempt == lease.attempt

    def is_held(self, lease: Lease) -> bool:
        """Whether the lease is still the job's and has not run out."""
        with reading(self._engine) as connection:
            lives = sa.and_(held(lease), jobs.c.lease_expires_at > db_now())
            return connection.execute(sa.select(jobs.c.id).where(lives)).first() is not None

    def fail(self, lease: Lease, code: str, detail: str) -> bool:
        """running -> failed with a stable code; False where the lease is stale."""
        values = {"error_code": code, "error_detail": detail, "stage": "failed"}
        return self._end(lease, JobState.FAILED, f"{code}: {detail}", values)

    def give_back(self, lease: Lease, why: str, pause: float, *, counted: bool = True, pool: str | None = None) -> bool:
        """running -> queued, to be published again after `pause` seconds; False where the lease is stale.

        With `counted` False the attempt does not count, because the job did not cause its end. `pool` is the pool to
        wait in, if it is another one.
        """
        values = {**UNLEASED, "not_before": db_now() + pause, "stage": "queued", "fraction": 0.0}
        if not counted:
            values["max_attempts"] = jobs.c.max_attempts + 1
        if pool is not None:
            values["pool"] = pool
        return self._leave(lease, JobState.QUEUED, why, values)

    def take_back(self, lease: Lease, why: str, *, counted: bool = True) -> Job | None:
        """Take a running job from the worker that holds this lease, as `reap` does; None for a stale lease."""
        with self._moves.begin() as moving:
            prepare(moving.connection, held(lease))
            job = find(moving.connection, lease.job_id)
            return _take_back(moving, job, held(lease), why, counted) if job else None

    def reap(self, patience: float = 1.0) -> list[Job]:
        """Return jobs whose lease ran out to their queues, or fail them as `worker_lost` after the last attempt.

        Raises `TransientError` `store_busy`, and moves no more jobs, where it had to wait for the store for more than
        `patience` seconds: the workers had to wait too, and could not renew their leases. The attempt does not count
        where the whole worker fell silent: see `WHOLE_WORKERS`. Until that is known, the job stays where it is.
        """
        ran_out = sa.and_(jobs.c.state == "running", jobs.c.lease_expires_at < db_now())
        with reading(self._engine) as connection:
            found = [to_job(row) for row in connection.execute(sa.select(jobs).where(ran_out)).mappings().all()]
            told = [(job, died_whole(connection, job.lease_owner or "")) for job in found]
        moved: list[Moved] = []
        try:
            for job, whole in told:  # each in a transaction of its own: see `fair_queue` on the order of locks
                if whole is None:
                    continue
                asked = time.monotonic()
                with self._moves.begin(moved) as moving:
                    if time.monotonic() - asked > patience:
                        detail = "the job store was busy for so long that workers could not renew their leases"
                        raise StoreBusy(detail)
                    same = sa.and_(ran_out, jobs.c.id == job.id, jobs.c.attempt == job.attempt)
                    prepare(moving.connection, jobs.c.id == job.id)
                    counted = not whole or job.attempt >= WHOLE_WORKERS
                    _take_back(moving, job, same, _WORKER_LOST, counted)
        finally:  # subscribers are notified of what was committed, even where the rest failed
            self._moves.publish(moved)
        return [each.job for each in moved]

    def _end(
        self, lease: Lease, state: JobState, why: str, values: dict[str, Any], account: dict[str, Any] | None = None
    ) -> bool:
        ended = {**values, "lease_expires_at": None, "finished_at": db_now()}
        return self._leave(lease, state, why, ended, account)

    def _leave(
        self, lease: Lease, state: JobState, why: str, values: dict[str, Any], account: dict[str, Any] | None = None
    ) -> bool:
        with self._moves.begin() as moving:
            if state in ENDS:
                prepare(moving.connection, held(lease))
            job = moving.transition(
                held(lease), JobState.RUNNING, state, why, worker=lease.owner, values=values, account=account
            )
        return job is not None


def held(lease: Lease) -> sa.ColumnElement[bool]:
    """The condition that the lease is still the job's."""
    return sa.and_(jobs.c.id == lease.job_id, jobs.c.state == "running", jobs.c.attempt == lease.attempt)


def _take_back(
    moving: Transaction, job: Job, which: sa.ColumnElement[bool], why: str, counted: bool = True
) -> Job | None:
    """running -> queued, or -> failed where the attempt counts and was the last; None where `which` matches no more."""
    if job.attempt < job.max_attempts or not counted:
        state, values = JobState.QUEUED, {**UNLEASED, "stage": "queued", "fraction": 0.0}
        if not counted:
            values["max_attempts"] = jobs.c.max_attempts + 1
    else:
        state, why = JobState.FAILED, f"{WorkerLost.code}: {why}, {job.attempt} times"
        values = {
            "error_code": WorkerLost.code,
            "error_detail": why,
            "stage": "failed",
            "finished_at": db_now(),
            "lease_expires_at": None,
        }
    return moving.transition(which, JobState.RUNNING, state, why, worker=job.lease_owner, values=values)
