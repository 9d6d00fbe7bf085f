"""Publishing what has no message, and taking jobs back, on a real Redis."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from stemsvc.errors import StoreUnavailable, TransientError
from stemsvc.jobs.record import JobState
from stemsvc.jobstore import JobStore
from stemsvc.settings import Settings
from stemsvc.storage import Storage
from tests.observers import BREAKS, broken
from tests.processes import wait_for
from tests.stemsvc.conftest import sqlite_of
from tests.stemsvc.control.parts import accept, make, waiting


@pytest.fixture
def url(settings: Settings) -> str:
    return sqlite_of(settings)


def test_without_a_broker_a_job_is_accepted_and_published_later(
    settings: Settings, store: JobStore, storage: Storage, redis_url: str
) -> None:
    (job,) = accept(make(settings, store, storage))
    assert store.outbox.due() == [job.id]

    # when the broker is back
    assert make(settings, store, storage, redis_url).dispatcher.sweep() == 1

    assert store.outbox.due() == []
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen("separate.demo.cpu") == 1


def test_jobs_of_a_broker_that_was_wiped_are_published_again(
    settings: Settings, store: JobStore, storage: Storage, redis_url: str
) -> None:
    work = make(settings, store, storage, redis_url)
    accepted = {job.id for job in accept(work, 3)}
    with redis.Redis.from_url(redis_url) as client:
        assert work.dispatcher.sweep() == 0  # nothing is missing
        client.flushall()
        assert work.dispatcher.sweep() == 3

        assert waiting(client) == accepted
        assert work.dispatcher.sweep() == 0


def test_one_lost_message_of_several_is_noticed(
    settings: Settings, store: JobStore, storage: Storage, redis_url: str
) -> None:
    work = make(settings, store, storage, redis_url)
    accepted = {job.id for job in accept(work, 3)}
    with redis.Redis.from_url(redis_url) as client:
        client.lpop("separate.demo.cpu")
        work.dispatcher.sweep()

        assert waiting(client) == accepted


def test_a_running_jobs_message_is_not_missed(
    settings: Settings, store: JobStore, storage: Storage, redis_url: str
) -> None:
    work = make(settings, store, storage, redis_url)
    (job,) = accept(work)
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    assert store.leases.take(job.id, "worker", 60)

    assert work.dispatcher.sweep() == 0


def test_of_many_dispatchers_one_publishes(
    settings: Settings, store: JobStore, storage: Storage, redis_url: str
) -> None:
    jobs = accept(make(settings, store, storage), 5)
    many = [make(settings, store, storage, redis_url, grace=60) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        published = list(pool.map(lambda work: work.dispatcher.sweep(), many))

    assert sum(published) == len(jobs)
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen("separate.demo.cpu") == len(jobs)


def test_a_poison_job_ends_as_worker_lost_and_leaves_no_file(
    settings: Settings, store: JobStore, storage: Storage, redis_url: str
) -> None:
    work = make(settings, store, storage, redis_url)
    (job,) = accept(work)
    for _ in range(2):
        assert store.leases.take(job.id, "doomed", -1)
        work.dispatcher.sweep()

    failed = store.get(job.id)
    assert failed is not None
    assert (failed.state, failed.error_code, failed.attempt) == (JobState.FAILED, "worker_lost", 2)
    assert storage.keys("jobs/") == []


def test_leases_get_a_moment_after_the_store_was_away(
    settings: Settings, store: JobStore, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a dispatcher that has swept for a while, and a worker that could not renew its lease
    work = make(settings, store, storage)
    work.dispatcher._settle_seconds = 0.5
    (job,) = accept(work)
    taken = store.leases.take(job.id, "worker", -1)
    assert taken is not None

    def away(seconds: float) -> dict[str, int]:
        raise StoreUnavailable("away")

    monkeypatch.setattr(store.leases, "reap", lambda: away(0))
    with pytest.raises(TransientError):
        work.dispatcher.sweep()
    monkeypatch.undo()
    work.dispatcher.sweep()
    assert store.leases.heartbeat(taken[1], -1, 0.5, "separating")

    # when the moment is over and it is still silent
    wait_for("the job to be taken back", lambda: work.dispatcher.sweep() or _state(store, job.id) is JobState.QUEUED)


def _state(store: JobStore, job_id: str) -> JobState | None:
    job = store.get(job_id)
    return job.state if job else None


def test_a_sweep_does_its_work_whatever_observer_fails(
    settings: Settings, store: JobStore, storage: Storage, redis_url: str
) -> None:
    work = make(settings, store, storage, redis_url)
    with broken(*BREAKS):
        lost, waits = accept(work, 2)
        assert store.leases.take(lost.id, "doomed", -1)
        work.dispatcher.sweep()
        assert store.leases.take(lost.id, "doomed", -1)
        work.dispatcher.sweep()

    assert (_state(store, lost.id), _state(store, waits.id)) == (JobState.FAILED, JobState.QUEUED)
    with redis.Redis.from_url(redis_url) as client:
        assert waits.id in waiting(client)
