"""Accepting jobs with and without a broker, a store, room: all of it or nothing."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
import sqlalchemy as sa

from stemsvc.control.accept import Request
from stemsvc.control.janitor import Janitor
from stemsvc.control.sources import SentFile, UploadedFile
from stemsvc.errors import AcceptanceUnknown, StemsvcError, TransientError, UsageError
from stemsvc.jobs.part import Part
from stemsvc.jobs.pools import single
from stemsvc.jobs.record import Job, JobState, JobView
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.bounds import Bounds
from stemsvc.jobstore.tables import usage
from stemsvc.jobstore.uploads import Upload
from stemsvc.kinds.separate.kind import SeparateParams, separation
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.settings import Settings
from stemsvc.storage import Storage
from tests.containers import pcm16, wav
from tests.sounds import tone, write_sound
from tests.specs import spec_of
from tests.stemsvc.conftest import sqlite_of
from tests.stemsvc.control.parts import OPTIONS, accept, body, make, upload


@pytest.fixture
def url(settings: Settings) -> str:
    return sqlite_of(settings)


def test_an_accepted_job_has_a_file_a_row_and_a_message(
    settings: Settings, store: JobStore, storage: Storage, redis_url: str
) -> None:
    work = make(settings, store, storage, redis_url)
    job = work.acceptance.accept([upload()], OPTIONS, Request("request-1")).job
    work.sender.close()

    assert storage.keys("jobs/") == [job.inputs[0].key]
    kept = store.get(job.id)
    assert kept is not None
    assert (kept.state, kept.inputs[0].bytes, kept.request_id) == (JobState.QUEUED, 5, "request-1")
    assert kept.published_at is not None
    with redis.Redis.from_url(redis_url) as client:
        (message,) = client.lrange("separate.demo.cpu", 0, -1)
    assert body(message) == ([], {"job_id": job.id})


def test_without_a_store_nothing_is_accepted_and_nothing_is_left(settings: Settings, storage: Storage) -> None:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    store = JobStore(f"sqlite:///{settings.data_dir / 'no-tables.sqlite'}")
    with pytest.raises(TransientError):
        make(settings, store, storage).acceptance.accept([upload()], OPTIONS, Request())
    store.close()

    assert storage.keys("") == []


def test_a_job_that_no_pool_can_run_is_refused_before_its_file_is_stored(
    settings: Settings, store: JobStore, storage: Storage
) -> None:
    with pytest.raises(UsageError) as caught:
        make(settings, store, storage).acceptance.accept([upload()], spec_of("demo", device="cuda"), Request())

    assert caught.value.code == "no_pool"
    assert storage.keys("") == []


def test_a_full_queue_refuses_and_keeps_nothing(settings: Settings, store: JobStore, storage: Storage) -> None:
    work = make(settings, store, storage, bounds=Bounds(pool=2, owner=2))
    jobs = accept(work, 2)
    for _ in range(3):
        with pytest.raises(TransientError) as caught:
            work.acceptance.accept([upload()], OPTIONS, Request())
        assert caught.value.code == "queue_full"

    assert storage.keys("jobs/") == sorted(job.inputs[0].key for job in jobs)


def test_a_request_with_a_key_is_one_job_however_often_it_comes(
    settings: Settings, store: JobStore, storage: Storage
) -> None:
    work = make(settings, store, storage)
    with ThreadPoolExecutor(8) as pool:
        asked = Request(owner="me", idempotency_key="k")
        ids = {
            view.job.id for view in pool.map(lambda _: work.acceptance.accept([upload()], OPTIONS, asked), range(16))
        }

    (job_id,) = ids
    assert storage.keys("jobs/") == [f"jobs/{job_id}/input"]
    for other in (SentFile(io.BytesIO(b"other"), "song.mp3"), SentFile(io.BytesIO(b"music"), "other.mp3")):
        with pytest.raises(UsageError) as caught:
            work.acceptance.accept([other], OPTIONS, asked)
        assert caught.value.code == "idempotency_conflict"
    assert storage.keys("jobs/") == [f"jobs/{job_id}/input"]

    # also when nobody serves such jobs any more
    later = make(settings, store, storage, pools=[single("htdemucs", "cpu")])
    assert later.acceptance.accept([upload()], OPTIONS, asked).job.id == job_id


@pytest.mark.parametrize("when", ["never", "later", "now"])
def test_where_the_answer_to_the_acceptance_is_lost_no_job_loses_its_file(
    settings: Settings, store: JobStore, storage: Storage, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    work, put, late = make(settings, store, storage), store.intake.put, []

    def lost(job: Job, *others: Any) -> JobView:
        if when == "now":
            put(job, *others)
        else:  # a commit that a standby has not confirmed yet is seen by nobody
            late.append(lambda: put(job, *others))
        raise AcceptanceUnknown("the answer was lost")

    monkeypatch.setattr(store.intake, "put", lost)
    if when == "now":
        job_id = work.acceptance.accept([upload()], OPTIONS, Request()).job.id
        assert storage.keys("") == [f"jobs/{job_id}/input"]
        return
    with pytest.raises(TransientError) as caught:
        work.acceptance.accept([upload()], OPTIONS, Request())
    assert isinstance(caught.value, AcceptanceUnknown)
    if when == "later":
        assert storage.keys("") == [late[0]().job.inputs[0].key]
    else:
        now = [0.0]
        janitor = Janitor(store, storage, 0, 0, clock=lambda: now[0])
        janitor.sweep()
        now[0] += janitor.suspect_seconds
        janitor.sweep()
        assert storage.keys("") == []


def test_a_track_that_is_too_much_is_refused_by_its_header(
    settings: Settings, store: JobStore, storage: Storage, tmp_path: Path
) -> None:
    work = make(settings, store, storage)
    long = write_sound(tmp_path / "song.flac", tone(601, 8000, 1), 8000, "mono")
    short = write_sound(tmp_path / "song.wav", tone(590, 8000, 1), 8000, "mono")
    heavy = spec_of(stems=("vocals",), options=SeparationOptions(shifts=20, overlap=0.9))
    for path, options, code in ((long, OPTIONS, "track_too_long"), (short, heavy, "too_much_work")):
        with path.open("rb") as file, pytest.raises(UsageError) as caught:
            work.acceptance.accept([SentFile(file, path.name)], options, Request())
        assert caught.value.code == code

    assert storage.keys("") == []


def by_form(path: Path, storage: Storage) -> SentFile:
    return SentFile(io.BytesIO(path.read_bytes()), path.name)


def by_upload(path: Path, storage: Storage) -> UploadedFile:
    kept = UploadedFile(Upload("1", "", path.name, 10**9))
    with path.open("rb") as file:
        storage.put(kept.upload.key, file, "audio/wav")
    return kept


@pytest.mark.parametrize("source", [by_form, by_upload])
@pytest.mark.parametrize(
    ("name", "data", "counted"),
    [
        ("piped.wav", wav(pcm16(tone(1.5, 8000)), 0xFFFFFFFF, 8000), 1.5),
        ("lame.wav", wav(pcm16(tone(1.5, 8000)), 0x7FFFFFFF, 8000), 1.5),
        ("lying.wav", wav(pcm16(tone(1.5, 8000)), 36000 * 8000 * 4, 8000), 1.5),
        ("gsm.wav", wav(bytes(65 * 75), 0x7FFFFFFF, 8000, 1, 0x31, 65), 0.0),
    ],
)
def test_a_placeholder_refuses_nothing_and_counts_for_nothing(
    settings: Settings,
    store: JobStore,
    storage: Storage,
    tmp_path: Path,
    source: Any,
    name: str,
    data: bytes,
    counted: float,
) -> None:
    # given a key that may send two seconds in a day
    path = tmp_path / name
    path.write_bytes(data)
    job = make(settings, store, storage).acceptance.accept(
        [source(path, storage)], OPTIONS, Request(owner="me", minutes_per_day=2 / 60)
    )

    assert job.job.state is JobState.QUEUED
    with sa.create_engine(settings.resolved_database_url).connect() as connection:
        assert connection.execute(sa.select(usage.c.track_seconds)).scalar_one() == counted


@pytest.mark.parametrize("source", [by_form, by_upload])
def test_a_part_counts_and_costs_as_a_part(
    settings: Settings, store: JobStore, storage: Storage, tmp_path: Path, source: Any
) -> None:
    # given a track that is longer than the limit of ten minutes, and a job for two seconds of it
    path = write_sound(tmp_path / "song.wav", tone(601, 8000, 1), 8000, "mono")
    spec = separation(SeparateParams("demo", ("vocals",), part=Part(start=300.0, end=302.0)))
    whole = separation(SeparateParams("demo", ("vocals",), part=Part(start=1.5)))
    acceptance = make(settings, store, storage).acceptance
    job = acceptance.accept([source(path, storage)], spec, Request(owner="me", minutes_per_day=3 / 60)).job
    longer = acceptance.accept([source(path, storage)], whole, Request()).job

    with sa.create_engine(settings.resolved_database_url).connect() as connection:
        counted = connection.execute(sa.select(usage.c.track_seconds).order_by(usage.c.accepted_at)).scalars().all()
    assert counted == [2.0, 599.5]
    assert longer.cost / job.cost == pytest.approx(599.5 / 2)


def test_an_upload_that_is_too_much_is_refused_by_its_header_too(
    settings: Settings, store: JobStore, storage: Storage, tmp_path: Path
) -> None:
    kept = UploadedFile(Upload("1", "", "song.flac", 10**9))
    with write_sound(tmp_path / "song.flac", tone(601, 8000, 1), 8000, "mono").open("rb") as file:
        storage.put(kept.upload.key, file, "audio/flac")
    with pytest.raises(UsageError) as caught:
        make(settings, store, storage).acceptance.accept([kept], OPTIONS, Request())

    assert caught.value.code == "track_too_long"
    assert storage.keys("") == [kept.upload.key]


def test_what_a_key_may_not_store_is_refused_before_it_is_stored(
    settings: Settings, store: JobStore, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a client that has stored ten bytes of ten that it may store; what its key says goes before the rules
    work = make(settings, store, storage, bounds=Bounds(100, 100, stored_bytes=1))
    asked = Request(owner="me", max_stored_bytes=10)
    job = work.acceptance.accept([upload(b"0123456789")], OPTIONS, asked).job
    puts, put = [], storage.put

    def seen(key: str, *others: Any) -> int:
        puts.append(key)
        return put(key, *others)

    monkeypatch.setattr(storage, "put", seen)
    for data, who, code in ((b"x", asked, "key_storage_full"), (b"xx", Request(owner="you"), "file_too_large")):
        with pytest.raises(StemsvcError) as caught:
            work.acceptance.accept([upload(data)], OPTIONS, who)
        assert caught.value.code == code
    assert puts == []

    work.acceptance.erase(job.id)
    assert work.acceptance.accept([upload(b"x")], OPTIONS, asked)
    assert work.acceptance.accept([upload(b"xx")], OPTIONS, Request(max_stored_bytes=0))  # 0: no bound


def test_a_job_whose_commit_was_not_answered_is_found_and_kept(
    settings: Settings, store: JobStore, storage: Storage
) -> None:
    def lose_the_answer(connection: sa.Connection) -> None:
        connection.connection.dbapi_connection.commit()  # type: ignore[union-attr]
        raise sa.exc.OperationalError("COMMIT", {}, Exception("the connection broke"))

    sa.event.listen(store._engine, "commit", lose_the_answer, once=True)
    view = make(settings, store, storage).acceptance.accept([upload()], OPTIONS, Request())

    assert store.view(view.job.id) == view
    assert storage.keys("jobs/") == [view.job.inputs[0].key]
