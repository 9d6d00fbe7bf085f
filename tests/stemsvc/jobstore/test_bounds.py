"""The bytes that a key stores: counted over uploads, inputs and outputs, and never more than it may."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from stemsvc.accounts.keys import DEFAULT_SCOPES, new_key
from stemsvc.errors import StemsvcError
from stemsvc.jobs.pools import FETCH
from stemsvc.jobs.record import Job, JobState, Lease, new_job_id
from stemsvc.jobs.spec import Input
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.bounds import Bounds, stored_bytes
from stemsvc.jobstore.engine import connect, migrate
from stemsvc.jobstore.uploads import Upload
from tests.specs import job_of, spec_of

POOL = "separate.demo.cpu"
MOST = 100


@pytest.fixture
def owner(store: JobStore) -> str:
    """A key that may store a hundred bytes."""
    key, _ = new_key("band", frozenset(DEFAULT_SCOPES))
    store.keys.add(replace(key, max_stored_bytes=MOST))
    return key.id


def accept(store: JobStore, owner: str, bytes: int, link: bool = False, most: int = MOST) -> Job:
    job_id = new_job_id()
    job = job_of(job_id, JobState.QUEUED, spec_of(), POOL, f"jobs/{job_id}/input", "song.mp3", bytes, owner=owner)
    if link:
        job = replace(job, pool=FETCH, next_pool=POOL)
    return store.intake.put(job, "accepted", Bounds(1000, 1000, stored_bytes=most)).job


def announce(store: JobStore, owner: str, bytes: int) -> Upload:
    return store.uploads.add(Upload(new_job_id(), owner, "song.mp3", 1000, bytes=bytes), 60.0, 1000)


def take(store: JobStore, job: Job) -> Lease:
    taken = store.leases.take(job.id, "worker", 60)
    assert taken is not None
    return taken[1]


def stored(store: JobStore, owner: str) -> int:
    with store._engine.begin() as connection:
        return stored_bytes(connection, owner)


def code_of(act: Callable[[], Any]) -> str | None:
    try:
        act()
    except StemsvcError as error:
        return error.code
    return None


def test_what_a_key_stores_is_counted_through_the_life_of_its_jobs(store: JobStore, owner: str) -> None:
    upload = announce(store, owner, 10)
    jobs = [accept(store, owner, 20) for _ in range(3)]
    accept(store, "another", 99)
    assert stored(store, owner) == 70

    store.cancel(jobs[0].id, "by the client")
    lease = take(store, jobs[1])
    store.leases.fail(lease, "not_audio", "no")
    assert stored(store, owner) == 50
    # a canceled job keeps its input for another try, and a bad one keeps nothing
    assert store.release(3600.0) == []
    assert store.release(0.0) == [jobs[0].id]
    assert stored(store, owner) == 30
    # its input is erased when its outputs are there
    outputs = {"vocals": {"key": "a", "bytes": 40}, "drums": {"key": "b", "bytes": 2}}
    store.leases.succeed(take(store, jobs[2]), {}, outputs)
    assert stored(store, owner) == 52
    store.uploads.measured(upload.id, 3)
    assert stored(store, owner) == 45
    store.expire(-1)
    assert stored(store, owner) == 3
    store.uploads.delete(upload.id)
    assert stored(store, owner) == 0


def test_what_does_not_fit_is_refused_and_what_never_fits_is_too_large(store: JobStore, owner: str) -> None:
    job = accept(store, owner, 60)
    upload = announce(store, owner, 30)
    codes = [code_of(partial(announce, store, owner, bytes)) for bytes in (11, 101, 10, 0)]
    assert codes == ["key_storage_full", "file_too_large", None, "key_storage_full"]
    assert code_of(lambda: accept(store, owner, 1)) == "key_storage_full"
    assert code_of(lambda: accept(store, owner, 101)) == "file_too_large"
    # what an upload counts already is not counted against it
    assert code_of(lambda: store.uploads.reserve(upload.id, 30)) is None
    assert code_of(lambda: store.uploads.reserve(upload.id, 31)) == "key_storage_full"
    assert code_of(lambda: store.uploads.reserve(upload.id, 101)) == "file_too_large"

    store.delete(job.id)
    assert code_of(lambda: accept(store, owner, 60)) is None


def test_a_refusal_says_when_to_come_back_and_keeps_nothing(store: JobStore, owner: str) -> None:
    accept(store, owner, 100)
    before = stored(store, owner), len(store.recent())
    for act in (lambda: accept(store, owner, 1), lambda: announce(store, owner, 1)):
        with pytest.raises(StemsvcError) as caught:
            act()
        assert caught.value.status == 429
        assert getattr(caught.value, "retry_after", None)

    assert (stored(store, owner), len(store.recent())) == before


def test_a_fetched_track_that_does_not_fit_is_not_handed_on(store: JobStore, owner: str) -> None:
    def hand_on(lease: Lease, bytes: int) -> bool:
        return store.leases.hand_on(lease, [Input("song", f"{lease.prefix}/input", bytes)], None)

    first, second = (take(store, accept(store, owner, 0, link=True)) for _ in range(2))
    assert hand_on(first, 70)
    assert code_of(lambda: hand_on(second, 31)) == "key_storage_full"
    assert hand_on(second, 30)
    assert stored(store, owner) == 100


def test_the_settings_bound_those_whose_key_says_nothing(store: JobStore, url: str, owner: str) -> None:
    bounded = JobStore(url, max_stored_bytes=50)
    assert code_of(lambda: announce(bounded, "", 51)) == "file_too_large"
    assert code_of(lambda: announce(bounded, owner, 51)) is None  # its key does
    upload = announce(bounded, "", 50)
    assert code_of(lambda: bounded.uploads.reserve(upload.id, 51)) == "file_too_large"
    lease = take(bounded, accept(bounded, "", 0, link=True, most=0))
    inputs = [Input("song", f"{lease.prefix}/input", 1)]
    assert code_of(lambda: bounded.leases.hand_on(lease, inputs, None)) == "key_storage_full"
    bounded.close()

    assert code_of(lambda: announce(store, "", 10**12)) is None  # 0: no bound


def test_many_at_once_do_not_pass_it(store: JobStore, url: str, owner: str) -> None:
    beside = JobStore(url)
    uploads = [announce(store, owner, 0) for _ in range(8)]
    leases = [take(store, accept(store, owner, 0, link=True)) for _ in range(8)]

    def act(number: int) -> None:
        each, which = (store, beside)[number % 2], number // 4
        if number % 4 == 0:
            accept(each, owner, 9)
        elif number % 4 == 1:
            announce(each, owner, 9)
        elif number % 4 == 2:
            each.uploads.reserve(uploads[which].id, 9)
        else:
            each.leases.hand_on(leases[which], [Input("song", "key", 9)], None)

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda number: code_of(lambda: act(number)), range(32)))
    beside.close()

    assert stored(store, owner) == 99
    assert [code for code in codes if code] == ["key_storage_full"] * 21


def test_uploads_at_once_are_as_many_as_may_be(store: JobStore, url: str) -> None:
    beside = JobStore(url)

    def add(number: int) -> None:
        (store, beside)[number % 2].uploads.add(Upload(new_job_id(), "me", "song.mp3", 9), 60.0, 5)

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda number: code_of(lambda: add(number)), range(24)))
    beside.close()

    assert [code for code in codes if code] == ["too_many_uploads"] * 19


def test_what_was_stored_before_the_migration_counts(url: str) -> None:
    migrate(url, "0007")
    engine = connect(url)
    outputs = '{"vocals": {"key": "k", "bytes": 7}, "drums": {"key": "k", "bytes": 5}}'
    rows = [  # id, state, inputs, outputs, bytes of the one input of release 0.1
        ("done", "succeeded", '[{"name": "a", "bytes": 50}]', outputs, 50),
        ("new", "queued", '[{"name": "a", "bytes": 3}, {"name": "b", "bytes": 4}]', "{}", 3),
        ("old", "running", None, "{}", 20),
        ("lost", "failed", None, "{}", 900),
    ]
    insert = sa.text(
        "INSERT INTO jobs (id, state, options, pool, input_key, input_name, input_bytes, attempt, max_attempts, "
        "fraction, stage, created_at, source, outputs, inputs, owner) VALUES (:id, :state, '{}', 'p', 'k', 'a', "
        ":bytes, 0, 3, 0, 'queued', 1, '{}', :outputs, :inputs, 'me')"
    )
    with engine.begin() as connection:
        for job_id, state, inputs, made, bytes in rows:
            values = {"id": job_id, "state": state, "inputs": inputs, "outputs": made, "bytes": bytes}
            connection.execute(insert, values)
    migrate(url)
    with engine.begin() as connection:
        found = dict(map(tuple, connection.execute(sa.text("SELECT id, stored_bytes FROM jobs")).all()))
        assert stored_bytes(connection, "me") == 39
    engine.dispose()

    assert found == {"done": 12, "new": 7, "old": 20, "lost": 0}
    migrate(url, "0007")
    migrate(url)
