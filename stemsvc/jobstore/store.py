"""The job store: the only place that writes a job's row. Every move is a single conditional UPDATE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from stemsvc.accounts.cipher import Cipher
from stemsvc.jobs.pools import INPUTS
from stemsvc.jobs.record import LIVE, WAITING_FOR_POOL, WITHOUT_FILES, Job, JobState, JobView
from stemsvc.jobstore import audit, fair_queue
from stemsvc.jobstore.audit import Act, Audit, By
from stemsvc.jobstore.chat_spending import ChatSpending
from stemsvc.jobstore.conversations import Conversations
from stemsvc.jobstore.drains import Drains
from stemsvc.jobstore.engine import connect, missing_revisions, reading, translated
from stemsvc.jobstore.etas import Etas
from stemsvc.jobstore.failures import Failure, failures
from stemsvc.jobstore.fair_queue import Place
from stemsvc.jobstore.feed import Feed
from stemsvc.jobstore.forecasts import Forecasts
from stemsvc.jobstore.handover import prepare
from stemsvc.jobstore.intake import Intake
from stemsvc.jobstore.keys import Keys
from stemsvc.jobstore.leases import Leases
from stemsvc.jobstore.listing import Filter, Page, page
from stemsvc.jobstore.locks import Lock, hold
from stemsvc.jobstore.outbox import Outbox
from stemsvc.jobstore.processes import Processes
from stemsvc.jobstore.result_cache import find_cached, find_made
from stemsvc.jobstore.rows import append, find, to_job, view
from stemsvc.jobstore.sessions import Sessions
from stemsvc.jobstore.snapshots import Snapshot, snapshots
from stemsvc.jobstore.tables import api_keys, db_now, jobs
from stemsvc.jobstore.transition import Moves, Subscriber
from stemsvc.jobstore.uploads import Uploads
from stemsvc.jobstore.usage import Usage
from stemsvc.jobstore.webhooks import Webhooks
from stemsvc.jobstore.workers import Workers
from stemsvc.jobstore.workflows import Workflows


class JobStore:
    """Jobs and their timelines in SQL. Safe to share between threads; make one per process, after any fork.

    `intake` makes the rows of new jobs. `outbox` knows which of them have a message. `leases` is what workers write.
    `keys`, `sessions`, `uploads`, `usage`, `webhooks`, `workflows`, `conversations` and `chat_spending` belong to
    clients; `feed` has what happens to their jobs. `workers` knows the live workers, `drains` the pools that take no
    new work, `audit` what admins did, `processes` what live processes run with. `subscribers` are notified of each move
    after its commit.
    `progressed` is called with the id of a job that reported progress or changed its pool. `ahead` goes to `Outbox`.
    `max_stored_bytes` is what each owner may store whose key does not say it; 0: any number. `cipher` encrypts secrets;
    without it they are stored in clear. `url_now` goes to `connect`.
    """

    def __init__(
        self,
        url: str,
        subscribers: Sequence[Subscriber] = (),
        progressed: Callable[[str], None] | None = None,
        ahead: int = 100,
        max_stored_bytes: int = 0,
        cipher: Cipher | None = None,
        url_now: Callable[[], str] | None = None,
    ) -> None:
        self._engine = connect(url, url_now)
        self._progressed = progressed or (lambda job_id: None)
        self._moves = Moves(self._engine, subscribers)
        self.intake = Intake(self._engine, self._moves)
        self.leases = Leases(self._engine, self._moves, self._progressed, max_stored_bytes)
        self.workers = Workers(self._engine)
        self.outbox = Outbox(self._engine, self.workers, ahead)
        self.drains = Drains(self._engine, self.outbox)
        self.audit = Audit(self._engine)
        self.processes = Processes(self._engine)
        self.keys = Keys(self._engine)
        self.sessions = Sessions(self._engine)
        self.feed = Feed(self._engine, self.workers)
        self.uploads = Uploads(self._engine, max_stored_bytes)
        self.usage = Usage(self._engine)
        self.workflows = Workflows(self._engine, self._moves, Etas(self._engine, self.workers))
        self.forecasts = Forecasts(self._engine)
        self.conversations = Conversations(self._engine)
        self.chat_spending = ChatSpending(self._engine)
        self.webhooks = Webhooks(self._engine, cipher or Cipher())

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def ping(self) -> None:
        """Raise `TransientError` `store_unavailable` unless the store answers and has its tables."""
        with reading(self._engine) as connection:
            connection.execute(sa.select(jobs.c.id).limit(1))

    def missing_revisions(self) -> int:
        """How many migrations the store's tables lack that this release needs. Raises the store's errors."""
        return missing_revisions(self._engine)

    def now(self) -> float:
        """The database's time, in seconds since the epoch."""
        with reading(self._engine) as connection:
            return float(connection.execute(sa.select(db_now())).scalar_one())

    def get(self, job_id: str) -> Job | None:
        """The job, or None where there is none of that id."""
        with reading(self._engine) as connection:
            return find(connection, job_id)

    def view(self, job_id: str) -> JobView | None:
        """The job with its timeline and place in the queue, all of one moment; None where there is no such job."""
        with reading(self._engine) as connection:
            job = find(connection, job_id)
            if job is None:
                return None
            found = view(connection, job)
        return self.seen(found)

    def seen(self, found: JobView) -> JobView:
        """The view, with the stage `waiting_for_pool` where the job waits for a live worker: no row stores that."""
        job = found.job
        if job.state is JobState.QUEUED and job.pool != INPUTS and not self.workers.slots(_asked(job)).get(job.pool):
            return replace(found, job=replace(job, stage=WAITING_FOR_POOL))
        return found

    def recent(self, limit: int = 50) -> list[Job]:
        """The newest jobs, newest first."""
        query = sa.select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.id).limit(limit)
        with reading(self._engine) as connection:
            return [to_job(row) for row in connection.execute(query).mappings()]

    def page(self, which: Filter, limit: int, cursor: str | None = None) -> Page:
        """The newest jobs that match `which`, after `cursor`. Raises `UsageError` `bad_cursor`."""
        with reading(self._engine) as connection:
            return page(connection, which, limit, cursor)

    def begins(self, prefix: str, limit: int) -> list[str]:
        """Up to `limit` ids of jobs that begin with `prefix`."""
        query = sa.select(jobs.c.id).where(jobs.c.id.startswith(prefix, autoescape=True)).limit(limit)
        with reading(self._engine) as connection:
            return list(connection.execute(query).scalars())

    def count(self) -> dict[str, int]:
        """How many jobs are in each state."""
        query = sa.select(jobs.c.state, sa.func.count()).group_by(jobs.c.state)
        with reading(self._engine) as connection:
            found = {state: int(number) for state, number in connection.execute(query).all()}
        return {str(state): found.get(str(state), 0) for state in JobState}

    def snapshots(self, job_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Snapshots of these jobs, by id; those that don't exist are left out."""
        with reading(self._engine) as connection:
            return snapshots(connection, job_ids, self.workers.slots)

    def failures(self, since: float, until: float, owner: str | None = None) -> list[Failure]:
        """The jobs that failed from `since` on and before `until`, counted by code and kind."""
        with reading(self._engine) as connection:
            return failures(connection, since, until, owner)

    def find_cached(self, owner: str, cache_key: str) -> Job | None:
        """The owner's newest job that succeeded with this key and still has its files; None where there is none."""
        with reading(self._engine) as connection:
            return find_cached(connection, owner, cache_key)

    def find_made(self, owner: str, kind: str, sha256: str) -> Job | None:
        """See `stemsvc.jobstore.result_cache.find_made`."""
        with self._engine.connect() as connection:
            return find_made(connection, owner, kind, sha256)

    def live(self) -> tuple[float, list[Job]]:
        """The database's time, and every queued or running job, oldest first."""
        query = sa.select(jobs).where(jobs.c.state.in_([*map(str, LIVE)])).order_by(jobs.c.created_at, jobs.c.id)
        with reading(self._engine) as connection:
            now = float(connection.execute(sa.select(db_now())).scalar_one())
            return now, [to_job(row) for row in connection.execute(query).mappings()]

    def running(self) -> list[Job]:
        """Every running job."""
        with reading(self._engine) as connection:
            found = connection.execute(sa.select(jobs).where(jobs.c.state == "running")).mappings()
            return [to_job(row) for row in found]

    def waiting(self) -> dict[str, dict[int, int]]:
        """How many jobs wait in each pool, by priority."""
        with reading(self._engine) as connection:
            return fair_queue.waiting_by_pool(connection)

    def oldest_waiting(self) -> dict[str, float]:
        """By pool, how many seconds the oldest job has waited, of the next 100 in each of its queues."""
        now = sa.select(db_now())
        with reading(self._engine) as connection:
            moment = float(connection.execute(now).scalar_one())
            oldest: dict[str, float] = {}
            for pool, priority, waiting, _ in connection.execute(fair_queue.LINES).all():
                if waiting:
                    came = connection.execute(_FIRST_CAME, {"pool": pool, "priority": priority}).scalar_one()
                    oldest[pool] = max(oldest.get(pool, 0.0), moment - float(came or moment))
            return oldest

    def running_by_pool(self) -> dict[str, int]:
        """How many jobs run in each pool."""
        query = sa.select(jobs.c.pool, sa.func.count()).where(jobs.c.state == "running").group_by(jobs.c.pool)
        with reading(self._engine) as connection:
            return {pool: int(number) for pool, number in connection.execute(query).all()}

    # --- writes of the API, the dispatcher and the janitor ------------------------------------------------------

    def cancel(self, job_id: str, why: str) -> bool:
        """Move a queued or running job to canceled; False where it is neither.

        Its worker notices at the next heartbeat.
        """
        values = {"finished_at": db_now(), "stage": "canceled", "lease_expires_at": None}
        this = jobs.c.id == job_id
        with self._moves.begin() as moving:
            prepare(moving.connection, this)
            # the row is locked first: a job that goes from one live state to another must not be missed in both
            state = moving.connection.execute(sa.select(jobs.c.state).where(this).with_for_update()).scalar()
            if state not in LIVE:
                return False
            return moving.transition(this, JobState(state), JobState.CANCELED, why, values=values) is not None

    def delete(self, job_id: str, by: By | None = None) -> bool:
        """Delete the rows of a job and its timeline; False where there is none. `by` is the admin who does it."""
        with translated(), self._engine.begin() as connection:
            gone = connection.execute(jobs.delete().where(jobs.c.id == job_id).returning(jobs.c.owner)).scalars().all()
            for owner in gone:
                audit.record(connection, by, Act.JOB_DELETE, job_id, owner=owner)
            return bool(gone)

    def expire(self, seconds: float | None) -> list[str]:
        """succeeded -> expired for jobs that ended longer ago than their key keeps files; returns their ids.

        `seconds` is for keys that don't say it, None: forever.
        """
        old = sa.and_(jobs.c.state == "succeeded", _outlived(seconds))
        values: dict[str, Any] = {"outputs": {}, "previews": {}, "stage": "expired", "manifest_key": None}
        why = "the time to keep the stems is over"
        with self._moves.begin() as moving:
            found = moving.connection.execute(sa.select(jobs.c.id).where(old).order_by(jobs.c.id)).scalars().all()
            moved = (
                moving.transition(jobs.c.id == job_id, JobState.SUCCEEDED, JobState.EXPIRED, why, values=values)
                for job_id in found
            )
            return [job.id for job in moved if job]

    def release(self, seconds: float) -> list[str]:
        """Jobs that ended longer than `seconds` ago no longer keep their inputs for another try; returns their ids.

        Nor do those that ended longer ago than their key keeps files. The caller erases the inputs.
        """
        ended = jobs.c.state.in_([str(JobState.FAILED), str(JobState.CANCELED)])
        late = sa.or_(jobs.c.finished_at <= db_now() - seconds, _outlived(None))
        old = sa.and_(ended, jobs.c.stored_bytes > 0, late)
        release = jobs.update().where(old).values(stored_bytes=0).returning(jobs.c.id)
        with translated(), self._engine.begin() as connection:
            return list(connection.execute(release).scalars())

    def forget(self, seconds: float) -> int:
        """Delete the rows of jobs without stems (failed, canceled, expired) that ended longer than `seconds` ago.

        Returns how many.
        """
        ended = jobs.c.state.in_([*map(str, WITHOUT_FILES)])
        with translated(), self._engine.begin() as connection:
            old = sa.and_(ended, jobs.c.finished_at < db_now() - seconds)
            return connection.execute(jobs.delete().where(old)).rowcount

    def reroute(self, job_id: str, pool: str, new: str, why: str) -> bool:
        """Move a job that waits in `pool` to the pool `new`; False where it no longer waits in `pool`."""
        with translated(), self._engine.begin() as connection:
            hold(connection, Lock.QUEUES)  # two turns given at once would be the same turn
            turns = fair_queue.Turns(connection)
            job = find(connection, job_id)
            if job is None:
                return False
            turn = turns.take(Place(new, job.priority, job.owner), job.cost)
            here = sa.and_(jobs.c.id == job_id, jobs.c.state == "queued", jobs.c.pool == pool)
            locked = sa.select(jobs.c.published_at).where(here).with_for_update()  # SQLite ignores it
            published = [at is not None for at in connection.execute(locked).scalars().all()]
            if not published:
                return False
            connection.execute(jobs.update().where(here).values(pool=new, turn=turn, published_at=None))
            before, there = (
                fair_queue.Place(pool, job.priority, job.owner),
                fair_queue.Place(new, job.priority, job.owner),
            )
            fair_queue.count(
                connection, {before: fair_queue.Change(-1, -int(published[0])), there: fair_queue.Change(1)}
            )
            turns.keep()
            append(connection, job_id, "queued", JobState.QUEUED, why, None)
        self._progressed(job_id)
        return True

    def first_in_line(self, pool: str, limit: int) -> list[Job]:
        """The next `limit` jobs that wait in a pool, by priority, then by turn."""
        query = sa.select(jobs).where(fair_queue.WAITING, jobs.c.pool == pool)
        query = query.order_by(jobs.c.priority, jobs.c.turn, jobs.c.created_at).limit(limit)
        with reading(self._engine) as connection:
            return [to_job(row) for row in connection.execute(query).mappings()]

    def tidy(self) -> None:
        """Delete owners' shares that change no turn, and workers that have been gone for a day."""
        with translated(), self._engine.begin() as connection:
            hold(connection, Lock.QUEUES)  # it locks shares in no order
            fair_queue.tidy(connection)
        self.workers.forget()

    def recount(self) -> None:
        """Count the waiting jobs again; see `fair_queue.recount`."""
        with translated(), self._engine.begin() as connection:
            fair_queue.recount(connection)


def _outlived(seconds: float | None) -> sa.ColumnElement[bool]:
    """Whether a job ended longer ago than its key keeps files, or than `seconds` where the key does not say it."""
    own = sa.select(api_keys.c.retention_seconds).where(api_keys.c.id == jobs.c.owner).scalar_subquery()
    kept = own if seconds is None else sa.func.coalesce(own, seconds)
    return jobs.c.finished_at < db_now() - kept  # null, and so not true, where nobody says it


def _asked(job: Job) -> str | None:
    """The kind that a worker must be able to do for the job's next step; None for a fetch, which any worker can do."""
    return None if job.next_pool is not None else job.kind


_NEXT_FEW = (
    sa.select(jobs.c.created_at)
    .where(fair_queue.WAITING, jobs.c.pool == sa.bindparam("pool"), jobs.c.priority == sa.bindparam("priority"))
    .order_by(jobs.c.turn)
    .limit(100)
)
_FIRST_CAME = sa.select(sa.func.min(_NEXT_FEW.subquery().c.created_at))
