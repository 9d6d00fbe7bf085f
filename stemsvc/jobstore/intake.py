"""Makes the rows of new jobs: within the bounds, once for each idempotency key, many requests in one commit."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from stemsvc.accounts.webhooks import receiver
from stemsvc.errors import (
    AcceptanceUnknown,
    FatalError,
    IdempotencyConflict,
    KeyQueueFull,
    KeyStorageFull,
    QueueFull,
    QuotaExceeded,
    StemsvcError,
    StoreError,
    TransientError,
    UsageError,
)
from stemsvc.jobs.pools import INPUTS
from stemsvc.jobs.record import Event, Job, JobState, JobView
from stemsvc.jobstore import fair_queue, rows
from stemsvc.jobstore.bounds import Bounds, Counts, check_room, check_stored, lock_owners
from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.locks import Lock, hold
from stemsvc.jobstore.quota import check_quota
from stemsvc.jobstore.tables import db_now, events, idempotency_keys, job_waits, jobs, source_hosts, usage, workflows
from stemsvc.jobstore.transition import Moved, Moves
from stemsvc.jobstore.workflow_rows import to_row
from stemsvc.workflows.record import Workflow

FULL_SECONDS = 10.0  # for so long after a refusal, room is checked before a file is stored
NO_ROOM = (QueueFull, KeyQueueFull, QuotaExceeded, KeyStorageFull)
_NOW = sa.select(db_now())


@dataclass(frozen=True)
class IdempotencyKey:
    """A client's name for one request, and a hash of what it asked for."""

    key: str
    fingerprint: str


@dataclass(frozen=True)
class NewStep:
    """A new job of a workflow: why it goes where it goes, its audio in seconds, and the new jobs that it waits for."""

    job: Job
    why: str
    seconds: float = 0.0
    waits_for: tuple[str, ...] = ()


@dataclass
class _Item:
    job: Job
    why: str
    bounds: Bounds | None
    key: IdempotencyKey | None
    seconds: float = 0.0  # of audio, as far as is known
    result: JobView | StemsvcError | None = None


class Intake:
    """Accepts jobs. Threads may share it: the jobs that come during a commit share the next one."""

    def __init__(self, engine: sa.Engine, moves: Moves) -> None:
        self._engine = engine
        self._moves = moves
        self._items: list[_Item] = []
        self._guard = threading.Lock()
        self._turn = threading.Lock()
        self._full_until = 0.0
        self._newest = 0.0  # when the last job came, by the database's clock

    def put(
        self, job: Job, why: str, bounds: Bounds | None = None, key: IdempotencyKey | None = None, seconds: float = 0.0
    ) -> JobView:
        """Make the row of a new job; once this returns, the job is accepted for good.

        Where `key` came before, it returns the earlier job and makes no row. `seconds` is the track's length, as far as
        it is known. Raises `UsageError` `idempotency_conflict` where `key` came with another request,
        `track_exceeds_quota` and `file_too_large` where the owner may never send so much. Raises `TransientError`
        `queue_full`, `key_queue_full`, `quota_exceeded` or `key_storage_full` with `retry_after` where too many jobs
        wait, too much was sent today or too much is stored, `acceptance_unknown` where the commit's answer was lost.
        """
        item = _Item(job, why, bounds, key, seconds)
        with self._guard:
            self._items.append(item)
        with self._turn:
            if item.result is None:
                with self._guard:
                    batch, self._items = self._items, []
                self._commit(batch)
        if isinstance(item.result, StemsvcError):
            if isinstance(item.result, NO_ROOM):
                self._full_until = time.monotonic() + FULL_SECONDS
            raise item.result
        assert item.result is not None
        return item.result

    def put_workflow(
        self, workflow: Workflow, steps: Sequence[NewStep], bounds: Bounds, key: IdempotencyKey | None = None
    ) -> str:
        """Make the rows of a workflow and of all its jobs at once; returns its id, or that of the one that `key` made.

        Raises what `put` raises: then there is neither the workflow nor any of its jobs.
        """
        items = [
            _Item(each.job, each.why, bounds, key if not number else None, each.seconds)
            for number, each in enumerate(steps)
        ]
        committing = False
        try:
            with translated(), self._engine.begin() as connection:
                made = self._write_workflow(connection, workflow, steps, items)
                committing = True
        except TransientError as error:
            if isinstance(error, NO_ROOM):
                self._full_until = time.monotonic() + FULL_SECONDS
            if committing:
                raise AcceptanceUnknown(f"the job store's answer was lost: {error.detail}") from error
            raise
        if isinstance(made, str):
            return made
        self._moves.publish([Moved(view.job, None, each.why) for view, each in zip(made, steps, strict=True)])
        return workflow.id

    def _write_workflow(
        self, connection: sa.Connection, workflow: Workflow, steps: Sequence[NewStep], items: list[_Item]
    ) -> list[JobView] | str:
        hold(connection, Lock.QUEUES)
        lock_owners(connection, [workflow.owner])
        first = _replayed(connection, items[0], {})
        if first is not None:
            return first.job.workflow_id or ""
        now = float(connection.execute(_NOW).scalar_one())
        pools = [each.job.pool for each in steps]
        standing = fair_queue.Standing.of(connection, pools, [workflow.owner])
        counts, turns = Counts(standing.pools, standing.owners), fair_queue.Turns(connection, standing)
        new: list[tuple[_Item, JobView]] = []
        for item in items:
            if item.job.pool != INPUTS and item.bounds:
                _check(connection, item, item.bounds, counts)
            new.append((item, _accepted(item, self._moment(now), counts, turns)))
        connection.execute(workflows.insert().values(to_row(workflow, len(steps), now)))
        _insert(connection, new, turns)
        waits = [{"job_id": each.job.id, "waits_for": other} for each in steps for other in each.waits_for]
        if waits:
            connection.execute(job_waits.insert(), waits)
        return [view for _, view in new]

    def check_room(self, pool: str, owner: str, bounds: Bounds, bytes: int = 0) -> None:
        """Raise what `put` would raise about the queue and the owner's files, before `bytes` are stored.

        It asks the store about the queue only for `FULL_SECONDS` after `put` found no room.
        """
        if bounds.stored_bytes:
            with reading(self._engine) as connection:
                check_stored(connection, owner, bytes, bounds.stored_bytes)
        if time.monotonic() < self._full_until:
            with reading(self._engine) as connection:
                standing = fair_queue.Standing.of(connection, [pool], [owner])
                check_room(connection, pool, owner, bounds, Counts(standing.pools, standing.owners))

    def earlier(self, owner: str, key: IdempotencyKey) -> JobView | None:
        """The job that came with this key before, if any; raises `UsageError` `idempotency_conflict`."""
        with reading(self._engine) as connection:
            return _earlier(connection, owner, key)

    def check_same(self, owner: str, keys: Sequence[IdempotencyKey]) -> None:
        """Raise `UsageError` `idempotency_conflict` where one of the keys came before with another request."""
        which = sa.and_(idempotency_keys.c.owner == owner, idempotency_keys.c.key.in_([each.key for each in keys]))
        query = sa.select(idempotency_keys.c.key, idempotency_keys.c.fingerprint).where(which)
        with reading(self._engine) as connection:
            before = {row.key: row.fingerprint for row in connection.execute(query)} if keys else {}
        for each in keys:
            _check_same(before.get(each.key, each.fingerprint), each)

    def forget_keys(self, seconds: float) -> int:
        """Delete idempotency keys that are older than `seconds`; returns how many."""
        with translated(), self._engine.begin() as connection:
            old = idempotency_keys.c.created_at < db_now() - seconds
            return connection.execute(idempotency_keys.delete().where(old)).rowcount

    def _commit(self, batch: list[_Item]) -> None:
        try:
            results = self._write(batch)
        except FatalError as error:
            if len(batch) > 1:  # one request that the database can't take must not fail its neighbours
                for item in batch:
                    self._commit([item])
                return
            batch[0].result = error
        except TransientError as error:
            for item in batch:
                item.result = error.saying(error.detail)
        except BaseException as error:
            for item in batch:
                item.result = StoreError(f"the job could not be recorded: {type(error).__name__}")
            raise
        else:
            for item, result in zip(batch, results, strict=True):
                item.result = result
            views = ((item, view) for item, view in zip(batch, results, strict=True) if isinstance(view, JobView))
            self._moves.publish([Moved(view.job, None, item.why) for item, view in views if view.job.id == item.job.id])

    def _write(self, batch: list[_Item]) -> list[JobView | StemsvcError]:
        committing = False
        try:
            with translated(), self._engine.begin() as connection:
                results = self._write_all(connection, batch)
                committing = True
        except TransientError as error:
            if committing:
                raise AcceptanceUnknown(f"the job store's answer was lost: {error.detail}") from error
            raise
        return results

    def _moment(self, now: float) -> float:
        """`now`, or just after the last job: SQLite's clock ticks in milliseconds, and jobs must keep their order."""
        self._newest = max(now, self._newest + 1e-6)
        return self._newest

    def _write_all(self, connection: sa.Connection, batch: list[_Item]) -> list[JobView | StemsvcError]:
        hold(connection, Lock.QUEUES)
        lock_owners(connection, [item.job.owner for item in batch if item.bounds and _sums(item.bounds)])
        now = float(connection.execute(_NOW).scalar_one())
        standing = fair_queue.Standing.of(
            connection, [item.job.pool for item in batch], [item.job.owner for item in batch]
        )
        counts, turns = Counts(standing.pools, standing.owners), fair_queue.Turns(connection, standing)
        made: dict[tuple[str, str], tuple[IdempotencyKey, JobView]] = {}
        new: list[tuple[_Item, JobView]] = []
        results: list[JobView | StemsvcError] = []
        for item in batch:
            try:
                result = _replayed(connection, item, made)
                if result is None:
                    if item.bounds:
                        _check(connection, item, item.bounds, counts)
                    result = _accepted(item, self._moment(now), counts, turns)
                    new.append((item, result))
                    if item.key:
                        made[item.job.owner, item.key.key] = item.key, result
            except (UsageError, TransientError) as error:
                results.append(error)
            else:
                results.append(result)
        _insert(connection, new, turns)
        return results


def _sums(bounds: Bounds) -> bool:
    """Whether the bounds are on sums that workers and uploads change too."""
    return bounds.seconds_per_day is not None or bounds.stored_bytes > 0


def _check(connection: sa.Connection, item: _Item, bounds: Bounds, counts: Counts) -> None:
    owner = item.job.owner
    check_room(connection, item.job.pool, owner, bounds, counts)
    check_quota(connection, owner, item.seconds, bounds.seconds_per_day, counts.seconds[owner])
    check_stored(connection, owner, rows.bytes_of(item.job.inputs), bounds.stored_bytes, counts.stored[owner])


def _accepted(item: _Item, now: float, counts: Counts, turns: fair_queue.Turns) -> JobView:
    if item.job.pool == INPUTS:  # it comes into a queue when it has its inputs
        return JobView(replace(item.job, created_at=now), [Event(now, None, str(JobState.QUEUED), item.why)], None)
    place = fair_queue.Place(item.job.pool, item.job.priority, item.job.owner)
    job = replace(item.job, created_at=now, turn=turns.take(place, item.job.cost))
    position = counts.pools[job.pool]
    counts.pools[job.pool] += 1
    counts.owners[job.owner] += 1
    counts.seconds[job.owner] += item.seconds
    counts.stored[job.owner] += rows.bytes_of(job.inputs)
    return JobView(job, [Event(now, None, str(JobState.QUEUED), item.why)], position)


def _insert(connection: sa.Connection, new: list[tuple[_Item, JobView]], turns: fair_queue.Turns) -> None:
    if not new:
        return
    connection.execute(jobs.insert(), [rows.to_row(view.job) for _, view in new])
    _insert_hosts(connection, [view.job for _, view in new])
    entries = [
        {"job_id": view.job.id, "at": event.at, "from_state": None, "to_state": event.to_state, "why": event.why}
        for _, view in new
        for event in view.timeline
    ]
    connection.execute(events.insert(), entries)
    queued = (view.job for _, view in new if view.job.pool != INPUTS)
    places = Counter(fair_queue.Place(job.pool, job.priority, job.owner) for job in queued)
    fair_queue.count(connection, {place: fair_queue.Change(number) for place, number in places.items()}, turns.ends)
    accounts = [
        {
            "job_id": view.job.id,
            "owner": view.job.owner,
            "kind": view.job.kind,
            "model": view.job.spec.model,
            "accepted_at": view.job.created_at,
            "state": str(view.job.state),
            "cached": False,
            "track_seconds": item.seconds,
            "device_seconds": 0.0,
        }
        for item, view in new
    ]
    connection.execute(usage.insert(), accounts)
    keys = [
        {
            "owner": view.job.owner,
            "key": item.key.key,
            "fingerprint": item.key.fingerprint,
            "job_id": view.job.id,
            "created_at": view.job.created_at,
        }
        for item, view in new
        if item.key
    ]
    if keys:
        connection.execute(idempotency_keys.insert(), keys)


def _insert_hosts(connection: sa.Connection, made: Sequence[Job]) -> None:
    """Note which hosts their links are fetched from: the outbox bounds what is fetched from one at a time."""
    hosts = {(job.id, receiver(each.url)) for job in made for each in job.inputs if each.url}
    if hosts:
        connection.execute(source_hosts.insert(), [{"job_id": job_id, "host": host} for job_id, host in sorted(hosts)])


def _replayed(
    connection: sa.Connection, item: _Item, made: dict[tuple[str, str], tuple[IdempotencyKey, JobView]]
) -> JobView | None:
    if item.key is None:
        return None
    in_batch = made.get((item.job.owner, item.key.key))
    if in_batch is None:
        return _earlier(connection, item.job.owner, item.key)
    _check_same(in_batch[0].fingerprint, item.key)
    return in_batch[1]


def _earlier(connection: sa.Connection, owner: str, key: IdempotencyKey) -> JobView | None:
    which = sa.and_(idempotency_keys.c.owner == owner, idempotency_keys.c.key == key.key)
    query = sa.select(idempotency_keys.c.fingerprint, idempotency_keys.c.job_id).where(which)
    row = connection.execute(query).first()
    if row is None:
        return None
    _check_same(row.fingerprint, key)
    job = rows.find(connection, row.job_id)
    return rows.view(connection, job) if job else None  # deleted in this moment, and its key with it


def _check_same(fingerprint: str, key: IdempotencyKey) -> None:
    if fingerprint != key.fingerprint:
        raise IdempotencyConflict("this Idempotency-Key came before with another request")
