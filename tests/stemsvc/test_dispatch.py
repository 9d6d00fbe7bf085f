"""Accepting jobs with and without a broker, on a real Redis."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa

from stemsvc.admission import Limits
from stemsvc.catalog import load_catalog
from stemsvc.dispatch import Dispatcher, Request, Rules, Upload
from stemsvc.errors import TransientError, UsageError
from stemsvc.jobs import Job, JobOptions, JobState
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import migrate
from stemsvc.jobstore.intake import Bounds
from stemsvc.pools import Pool
from stemsvc.queue import Publisher
from stemsvc.separation import SeparationOptions
from stemsvc.settings import Settings
from stemsvc.storage import Storage, open_storage
from tests.processes import wait_for
from tests.sounds import tone, write_sound

OPTIONS = JobOptions("demo", stems=("vocals",))


@pytest.fixture
def store(settings: Settings) -> Iterator[JobStore]:
    settings.data_dir.mkdir()
    migrate(settings.resolved_database_url)
    store = JobStore(settings.resolved_database_url)
    yield store
    store.close()


@pytest.fixture
def storage(settings: Settings) -> Storage:
    return open_storage(settings)


def dispatcher(
    settings: Settings,
    store: JobStore,
    storage: Storage,
    broker_url: str | None = None,
    grace: float = 0.0,
    bounds: Bounds | None = None,
) -> Dispatcher:
    publisher = Publisher(settings.model_copy(update={"broker_url": broker_url or settings.broker_url}))
    rules = Rules(bounds or Bounds(100, 100), Limits(600, 600, 10), max_attempts=2, min_free_bytes=0)
    pools = [Pool("demo", "cpu")]
    return Dispatcher(store, publisher, storage, load_catalog(), pools, rules, grace, settle_seconds=0)


def accept(work: Dispatcher, count: int = 1) -> list[Job]:
    """Jobs that were accepted, and published if the broker takes messages."""
    accepted = [work.accept(upload(), OPTIONS, Request()).job for _ in range(count)]
    work.close()
    return accepted


def upload(data: bytes = b"music") -> Upload:
    return Upload(io.BytesIO(data), "song.mp3")


def test_an_accepted_job_has_a_file_a_row_and_a_message(
    settings: Settings, store: JobStore, storage: Storage, redis_url: str
) -> None:
    work = dispatcher(settings, store, storage, redis_url)
    job = work.accept(upload(), OPTIONS, Request("request-1")).job
    work.close()

    assert storage.keys("jobs/") == [job.input_key]
    kept = store.get(job.id)
    assert kept is not None
    assert (kept.state, kept.input_bytes, kept.request_id) == (JobState.QUEUED, 5, "request-1")
    assert kept.published_at is not None
    with redis.Redis.from_url(redis_url) as client:
        (message,) = client.lrange("separate.demo.cpu", 0, -1)
    assert _body(message) == ([], {"job_id": job.id})


def test_without_a_broker_a_job_is_accepted_and_published_later(
    settings: Settings, store: JobStore, storage: Storage, redis_url: str
) -> None:
    (job,) = accept(dispatcher(settings, store, storage))
    assert store.outbox.due() == [job.id]

    # when the broker is back
    assert dispatcher(settings, store, storage, redis_url).sweep() == 1

    assert store.outbox.due() == []
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen("separate.demo.cpu") == 1


def test_jobs_of_a_broker_that_was_wiped_are_published_again(
    settings: Settings, store: JobStore, storage: Storage, redis_url: str
) -> None:
    work = dispatcher(settings, store, storage, redis_url)
    accepted = {job.id for job in accept(work, 3)}
    with redis.Redis.from_url(redis_url) as client:
        assert work.sweep() == 0  # nothing is missing
        client.flushall()
        assert work.sweep() == 3

        assert waiting(client) == accepted
        assert work.sweep() == 0


def test_one_lost_message_of_several_is_noticed(
    settings: Settings, store: JobStore, storage: Storage, redis_url: str
) -> None:
    work = dispatcher(settings, store, storage, redis_url)
    accepted = {job.id for job in accept(work, 3)}
    with redis.Redis.from_url(redis_url) as client:
        client.lpop("separate.demo.cpu")
        work.sweep()

        assert waiting(client) == accepted


def test_a_running_jobs_message_is_not_missed(
    settings: Settings, store: JobStore, storage: Storage, redis_url: str
) -> None:
    work = dispatcher(settings, store, storage, redis_url)
    (job,) = accept(work)
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    assert store.take_lease(job.id, "worker", 60)

    assert work.sweep() == 0


def test_of_many_dispatchers_one_publishes(
    settings: Settings, store: JobStore, storage: Storage, redis_url: str
) -> None:
    jobs = accept(dispatcher(settings, store, storage), 5)
    many = [dispatcher(settings, store, storage, redis_url, grace=60) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        published = list(pool.map(lambda work: work.sweep(), many))

    assert sum(published) == len(jobs)
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen("separate.demo.cpu") == len(jobs)


def test_without_a_store_nothing_is_accepted_and_nothing_is_left(settings: Settings, storage: Storage) -> None:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    store = JobStore(f"sqlite:///{settings.data_dir / 'no-tables.sqlite'}")
    with pytest.raises(TransientError):
        dispatcher(settings, store, storage).accept(upload(), OPTIONS, Request())
    store.close()

    assert storage.keys("") == []


def test_a_job_that_no_pool_can_run_is_refused_before_its_file_is_stored(
    settings: Settings, store: JobStore, storage: Storage
) -> None:
    with pytest.raises(UsageError) as caught:
        dispatcher(settings, store, storage).accept(upload(), JobOptions("demo", device="cuda"), Request())

    assert caught.value.code == "no_pool"
    assert storage.keys("") == []


def test_a_poison_job_ends_as_worker_lost_and_leaves_no_file(
    settings: Settings, store: JobStore, storage: Storage, redis_url: str
) -> None:
    work = dispatcher(settings, store, storage, redis_url)
    (job,) = accept(work)
    for _ in range(2):
        assert store.take_lease(job.id, "doomed", -1)
        work.sweep()

    failed = store.get(job.id)
    assert failed is not None
    assert (failed.state, failed.error_code, failed.attempt) == (JobState.FAILED, "worker_lost", 2)
    assert storage.keys("jobs/") == []


def waiting(client: redis.Redis) -> set[str]:
    """Ids of the jobs whose messages wait."""
    bodies = [_body(message) for message in client.lrange("separate.demo.cpu", 0, -1)]
    return {str(kwargs["job_id"]) for _, kwargs in bodies}


def _body(message: bytes | str) -> tuple[list[object], dict[str, object]]:
    import base64
    import json

    args, kwargs, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
    return args, kwargs


def test_a_full_queue_refuses_and_keeps_nothing(settings: Settings, store: JobStore, storage: Storage) -> None:
    work = dispatcher(settings, store, storage, bounds=Bounds(pool=2, owner=2))
    jobs = accept(work, 2)
    for _ in range(3):
        with pytest.raises(TransientError) as caught:
            work.accept(upload(), OPTIONS, Request())
        assert caught.value.code == "queue_full"

    assert storage.keys("jobs/") == sorted(job.input_key for job in jobs)


def test_a_request_with_a_key_is_one_job_however_often_it_comes(
    settings: Settings, store: JobStore, storage: Storage
) -> None:
    work = dispatcher(settings, store, storage)
    with ThreadPoolExecutor(8) as pool:
        asked = Request(owner="me", idempotency_key="k")
        ids = {view.job.id for view in pool.map(lambda _: work.accept(upload(), OPTIONS, asked), range(16))}

    (job_id,) = ids
    assert storage.keys("jobs/") == [f"jobs/{job_id}/input"]
    for other in (Upload(io.BytesIO(b"other"), "song.mp3"), Upload(io.BytesIO(b"music"), "other.mp3")):
        with pytest.raises(UsageError) as caught:
            work.accept(other, OPTIONS, asked)
        assert caught.value.code == "idempotency_conflict"
    assert storage.keys("jobs/") == [f"jobs/{job_id}/input"]


def test_a_track_that_is_too_much_is_refused_by_its_header(
    settings: Settings, store: JobStore, storage: Storage, tmp_path: Path
) -> None:
    work = dispatcher(settings, store, storage)
    long = write_sound(tmp_path / "song.flac", tone(601, 8000, 1), 8000, "mono")
    short = write_sound(tmp_path / "song.wav", tone(590, 8000, 1), 8000, "mono")
    heavy = replace(OPTIONS, separation=SeparationOptions(shifts=20, overlap=0.9))
    for path, options, code in ((long, OPTIONS, "track_too_long"), (short, heavy, "too_much_work")):
        with path.open("rb") as file, pytest.raises(UsageError) as caught:
            work.accept(Upload(file, path.name), options, Request())
        assert caught.value.code == code

    assert storage.keys("") == []


def test_a_job_whose_commit_was_not_answered_is_found_and_kept(
    settings: Settings, store: JobStore, storage: Storage
) -> None:
    def lose_the_answer(connection: sa.Connection) -> None:
        connection.connection.dbapi_connection.commit()  # type: ignore[union-attr]
        raise sa.exc.OperationalError("COMMIT", {}, Exception("the connection broke"))

    sa.event.listen(store._engine, "commit", lose_the_answer, once=True)
    view = dispatcher(settings, store, storage).accept(upload(), OPTIONS, Request())

    assert store.get(view.job.id) == view.job
    assert storage.keys("jobs/") == [view.job.input_key]


def test_leases_get_a_moment_after_the_store_was_away(
    settings: Settings, store: JobStore, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a dispatcher that has swept for a while, and a worker that could not renew its lease
    work = dispatcher(settings, store, storage)
    work._settle_seconds = 0.5
    (job,) = accept(work)
    taken = store.take_lease(job.id, "worker", -1)
    assert taken is not None

    def away(seconds: float) -> dict[str, int]:
        raise TransientError("store_unavailable", "away")

    monkeypatch.setattr(store, "reap", lambda: away(0))
    with pytest.raises(TransientError):
        work.sweep()
    monkeypatch.undo()
    work.sweep()
    assert store.heartbeat(taken[1], -1, 0.5, "separating")

    # when the moment is over and it is still silent
    wait_for("the job to be taken back", lambda: work.sweep() or _state(store, job.id) is JobState.QUEUED)


def _state(store: JobStore, job_id: str) -> JobState | None:
    job = store.get(job_id)
    return job.state if job else None
