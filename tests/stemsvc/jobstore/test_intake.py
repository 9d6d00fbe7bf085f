"""Accepting jobs: bounded, once for each key, many in one commit, and no answer that is not true."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from stemsvc.errors import AcceptanceUnknown, StemsvcError, StoreError, TransientError, UsageError
from stemsvc.jobs.record import Job, JobState, JobView, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.bounds import Bounds
from stemsvc.jobstore.intake import IdempotencyKey
from stemsvc.jobstore.workers import Worker
from tests.specs import job_of, spec_of

POOL = "separate.demo.cpu"
ROOMY = Bounds(pool=1000, owner=1000)


def new_job(owner: str = "", pool: str = POOL, name: str = "song.mp3") -> Job:
    job_id = new_job_id()
    options = spec_of("demo", stems=("vocals",))
    return job_of(job_id, JobState.QUEUED, options, pool, f"jobs/{job_id}/input", name, 1, owner=owner)


def attempt(store: JobStore, job: Job, bounds: Bounds | None = None, key: IdempotencyKey | None = None) -> Any:
    """What came of it: a view or an error."""
    try:
        return store.intake.put(job, "accepted", bounds, key)
    except StemsvcError as error:
        return error


def test_what_is_answered_is_what_is_kept(store: JobStore) -> None:
    store.workers.beat(Worker("worker", (new_job().pool,), "cpu", ""), 60)
    with ThreadPoolExecutor(8) as pool:
        views = list(pool.map(lambda _: store.intake.put(new_job(), "accepted", ROOMY), range(40)))

    for view in views:
        kept = store.view(view.job.id)
        assert kept is not None
        assert (kept.job, kept.timeline) == (view.job, view.timeline)
        assert kept.queue_position == view.queue_position
    assert sorted(view.queue_position or 0 for view in views) == list(range(40))


def test_the_queue_of_a_pool_takes_so_many_and_no_more(store: JobStore, url: str) -> None:
    beside = JobStore(url)  # another process, as far as the database can tell
    bounds = Bounds(pool=10, owner=1000)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: attempt((store, beside)[n % 2], new_job(), bounds), range(40)))
    beside.close()

    assert sum(isinstance(result, JobView) for result in results) == 10
    refusals = [result for result in results if isinstance(result, TransientError)]
    assert {refusal.code for refusal in refusals} == {"queue_full"}
    assert all(refusal.retry_after and refusal.retry_after >= 1 for refusal in refusals)
    assert len(store.recent(100)) == 10

    # another pool has room, and so has this one when a worker has taken a job
    assert store.intake.put(new_job(pool="separate.other.cpu"), "accepted", bounds)
    with pytest.raises(TransientError):
        store.intake.check_room(POOL, "", bounds)
    assert store.leases.take(store.recent(100)[-1].id, "worker", 60)
    store.intake.check_room(POOL, "", bounds)
    assert store.intake.put(new_job(), "accepted", bounds)


def test_one_owner_does_not_take_all_places(store: JobStore) -> None:
    bounds = Bounds(pool=100, owner=3)
    mine = [attempt(store, new_job("me"), bounds) for _ in range(4)]

    assert [getattr(result, "code", "accepted") for result in mine] == ["accepted"] * 3 + ["key_queue_full"]
    assert isinstance(attempt(store, new_job("you"), bounds), JobView)


def test_when_to_come_back_follows_the_pace_of_the_pool(store: JobStore) -> None:
    bounds = Bounds(pool=1, owner=100)
    for _ in range(30):
        job = new_job()
        store.intake.put(job, "accepted")
        taken = store.leases.take(job.id, "worker", 60)
        assert taken
        store.leases.succeed(taken[1], {}, {})
    store.intake.put(new_job(), "accepted", bounds)
    refusal = attempt(store, new_job(), bounds)

    assert refusal.retry_after == 10.0  # thirty ends in the last five minutes


def test_a_key_makes_one_job_of_many_requests(store: JobStore, url: str) -> None:
    beside = JobStore(url)
    key = IdempotencyKey("k", "the same")
    with ThreadPoolExecutor(16) as pool:
        views = list(pool.map(lambda n: attempt((store, beside)[n % 2], new_job("me"), ROOMY, key), range(32)))
    beside.close()

    (job_id,) = {view.job.id for view in views}
    assert [job.id for job in store.recent(100)] == [job_id]
    earlier = store.intake.earlier("me", key)
    assert earlier is not None
    assert earlier.job.id == job_id
    assert store.intake.earlier("you", key) is None


def test_a_key_that_comes_with_another_request_is_refused(store: JobStore) -> None:
    first = store.intake.put(new_job(), "accepted", None, IdempotencyKey("k", "one"))
    other = IdempotencyKey("k", "another")
    with pytest.raises(UsageError) as caught:
        store.intake.put(new_job(), "accepted", None, other)
    with pytest.raises(UsageError):
        store.intake.earlier("", other)

    assert caught.value.code == "idempotency_conflict"
    assert [job.id for job in store.recent()] == [first.job.id]


def test_a_key_is_good_when_the_queue_is_full(store: JobStore) -> None:
    bounds, key = Bounds(pool=1, owner=1), IdempotencyKey("k", "one")
    first = store.intake.put(new_job(), "accepted", bounds, key)

    assert store.intake.put(new_job(), "accepted", bounds, key).job.id == first.job.id


def test_keys_are_forgotten_in_time_and_with_their_job(store: JobStore) -> None:
    old, deleted = IdempotencyKey("old", "x"), IdempotencyKey("deleted", "x")
    job = store.intake.put(new_job(), "accepted", None, deleted).job
    store.delete(job.id)
    assert store.intake.earlier("", deleted) is None

    store.intake.put(new_job(), "accepted", None, old)
    assert store.intake.forget_keys(60) == 0
    assert store.intake.forget_keys(-1) == 1
    assert store.intake.earlier("", old) is None


def test_a_row_that_the_database_refuses_harms_no_neighbour(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a commit under way, during which good requests and one with an id that exists come in
    taken = store.intake.put(new_job(), "accepted").job
    jobs = [new_job(), taken, new_job()]
    entered, go = threading.Event(), threading.Event()
    write = store.intake._write

    def slow(batch: Any) -> Any:
        entered.set()
        assert go.wait(30)
        return write(batch)

    monkeypatch.setattr(store.intake, "_write", slow)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(attempt, store, new_job())
        assert entered.wait(30)
        results = [pool.submit(attempt, store, job) for job in jobs]
        while len(store.intake._items) < len(jobs):
            assert not go.wait(0.01)
        go.set()

    assert isinstance(first.result(), JobView)
    assert [type(result.result()) for result in results] == [JobView, StoreError, JobView]
    assert {job.id for job in store.recent()} >= {jobs[0].id, jobs[2].id}


def test_a_commit_whose_answer_is_lost_is_said_to_be_unknown(store: JobStore) -> None:
    def lose_the_answer(connection: sa.Connection) -> None:
        connection.connection.dbapi_connection.commit()  # type: ignore[union-attr]
        raise sa.exc.OperationalError("COMMIT", {}, Exception("the connection broke"))

    job = new_job()
    sa.event.listen(store._engine, "commit", lose_the_answer)
    with pytest.raises(TransientError) as caught:
        store.intake.put(job, "accepted")
    sa.event.remove(store._engine, "commit", lose_the_answer)

    assert isinstance(caught.value, AcceptanceUnknown)
    assert store.get(job.id) is not None
