"""The job store on SQLite and on a real PostgreSQL: every move legal, every write fenced by its lease."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from stemsvc.accounts.keys import Scope, fits, new_key, parse_token
from stemsvc.errors import TransientError, UsageError
from stemsvc.jobs.record import MOVES, Event, Job, JobState, Lease, input_key, new_job_id
from stemsvc.jobs.spec import Input
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import connect, migrate
from stemsvc.jobstore.listing import Filter
from stemsvc.jobstore.outbox import Claimed
from stemsvc.jobstore.tables import metadata
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from tests.specs import job_of, spec_of
from tests.stemsvc.control.parts import make


def new_job(**changes: object) -> Job:
    options = spec_of("demo", stems=("drums", "vocals"), format="wav", bit_depth="24", residual=True)
    job = job_of(new_job_id(), JobState.QUEUED, options, "separate.demo.cpu", "jobs/x/input", "song.mp3", 1234)
    return replace(job, **changes)  # type: ignore[arg-type]


def test_a_job_comes_back_as_it_went_in(store: JobStore) -> None:
    given = new_job(request_id="r-1", max_attempts=5)
    inserted = store.intake.put(given, "accepted").job

    assert store.get(given.id) == inserted
    assert replace(inserted, created_at=0.0) == given
    assert [(event.from_state, event.to_state, event.why) for event in _timeline(store, given.id)] == [
        (None, "queued", "accepted")
    ]


def test_an_unknown_job_is_none(store: JobStore) -> None:
    assert store.get("nobody") is None
    assert store.view("nobody") is None


def test_of_many_workers_one_gets_the_lease(store: JobStore) -> None:
    job = store.intake.put(new_job(), "accepted").job
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda i: store.leases.take(job.id, f"worker-{i}", 60), range(16)))

    winners = [entry for entry in taken if entry]
    assert len(winners) == 1
    running, lease = winners[0]
    assert (running.state, running.attempt, lease.attempt) == (JobState.RUNNING, 1, 1)
    assert len(_timeline(store, job.id)) == 2


def test_a_finished_job_carries_its_outputs(store: JobStore) -> None:
    job = store.intake.put(new_job(), "accepted").job
    _, lease = _take(store, job.id)

    assert store.leases.heartbeat(lease, 60, 0.5, "separating")
    assert store.leases.succeed(lease, {"frames": 10}, {"drums": {"key": "k"}})

    done = _get(store, job.id)
    assert (done.state, done.fraction, done.source, done.outputs) == (
        JobState.SUCCEEDED,
        1.0,
        {"frames": 10},
        {"drums": {"key": "k"}},
    )
    assert done.finished
    assert done.finished_at is not None
    assert done.created_at <= done.finished_at


def test_a_stale_lease_changes_nothing(store: JobStore) -> None:
    # given a job whose first worker fell silent and whose second runs it
    job = store.intake.put(new_job(), "accepted").job
    _, stale = _take(store, job.id, seconds=-1)
    store.leases.reap()
    _, fresh = _take(store, job.id)
    before = _get(store, job.id)

    # when the first one wakes up and writes
    written = [
        store.leases.heartbeat(stale, 60, 0.9, "uploading"),
        store.leases.succeed(stale, {}, {"drums": {"key": "stale"}}),
        store.leases.fail(stale, "x", "y"),
        store.leases.give_back(stale, "z", 0),
    ]

    # then nothing of it is seen, and the second one commits
    assert written == [False] * 4
    assert _get(store, job.id) == before
    assert store.leases.succeed(fresh, {}, {})


def test_a_silent_worker_costs_an_attempt_and_the_last_one_the_job(store: JobStore) -> None:
    job = store.intake.put(new_job(max_attempts=2), "accepted").job
    for attempt in (1, 2):
        store.outbox.claim()
        running, _ = _take(store, job.id, seconds=-1)
        assert running.attempt == attempt
        reaped = store.leases.reap()
        assert [entry.id for entry in reaped] == [job.id]

    failed = _get(store, job.id)
    assert (failed.state, failed.error_code) == (JobState.FAILED, "worker_lost")
    assert [event.to_state for event in _timeline(store, job.id)] == [
        "queued",
        "running",
        "queued",
        "running",
        "failed",
    ]
    assert store.leases.reap() == []


def test_a_live_lease_is_not_reaped(store: JobStore) -> None:
    job = store.intake.put(new_job(), "accepted").job
    _take(store, job.id, seconds=60)

    assert store.leases.reap() == []
    assert _get(store, job.id).state is JobState.RUNNING


def test_a_job_that_pauses_is_given_to_nobody(store: JobStore) -> None:
    job = store.intake.put(new_job(), "accepted").job
    _, lease = _take(store, job.id)
    store.leases.give_back(lease, "storage is away", 600.0)

    # a message that comes twice must not cut the pause short
    assert store.leases.take(job.id, "worker", 60) is None


def test_of_many_dispatchers_one_may_publish(store: JobStore) -> None:
    job = store.intake.put(new_job(), "accepted").job
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: store.outbox.claim(), range(16)))
    assert [claim for claimed in claims for claim in claimed] == [Claimed(job.id, job.pool, 1)]

    store.outbox.unclaim([job.id])
    assert store.outbox.due() == [job.id]
    assert store.outbox.claim() == [Claimed(job.id, job.pool, 1)]


def test_messages_of_waiting_jobs_are_counted_and_can_be_forgotten(store: JobStore) -> None:
    waiting, running = (store.intake.put(new_job(), "accepted").job for _ in range(2))
    store.outbox.claim()
    fresh = store.intake.put(new_job(), "accepted").job
    _take(store, running.id)

    assert store.outbox.waiting(-1) == {("separate.demo.cpu", 1): 1}
    assert store.outbox.waiting(60) == {}
    assert store.outbox.forget("separate.demo.cpu", 1, 60) == 0
    assert store.outbox.forget("separate.demo.cpu", 1, -1) == 1
    assert set(store.outbox.due()) == {waiting.id, fresh.id}


def test_old_stems_expire_and_old_records_go(store: JobStore) -> None:
    done, live = store.intake.put(new_job(), "accepted").job, store.intake.put(new_job(), "accepted").job
    _, lease = _take(store, done.id)
    store.leases.succeed(lease, {}, {"drums": {"key": "k"}})

    assert store.expire(60) == []
    assert store.forget(-1) == 0  # stems that are still there keep their record
    assert store.expire(-1) == [done.id]
    expired = _get(store, done.id)
    assert (expired.state, expired.outputs) == (JobState.EXPIRED, {})
    assert _timeline(store, done.id)[-1].to_state == "expired"
    assert store.forget(60) == 0
    assert store.forget(-1) == 1
    assert store.view(done.id) is None
    assert _get(store, live.id).state is JobState.QUEUED


def test_a_deleted_job_is_forgotten_with_its_timeline(store: JobStore) -> None:
    job = store.intake.put(new_job(), "accepted").job
    _, lease = _take(store, job.id)

    assert store.delete(job.id)
    assert not store.delete(job.id)
    assert store.view(job.id) is None
    assert not store.leases.heartbeat(lease, 60, 0.5, "separating")
    assert not store.leases.succeed(lease, {}, {})


def test_a_job_given_back_is_published_again_after_its_pause(store: JobStore) -> None:
    waiting, due = store.intake.put(new_job(), "accepted").job, store.intake.put(new_job(), "accepted").job
    for job, pause in ((waiting, 600.0), (due, -1.0)):
        store.outbox.claim()
        _, lease = _take(store, job.id)
        assert store.leases.give_back(lease, "storage is down", pause)

    assert store.outbox.due() == [due.id]
    store.outbox.claim()
    assert store.outbox.due() == []


@pytest.mark.parametrize("running", [False, True])
def test_cancel_ends_a_live_job_once(store: JobStore, running: bool) -> None:
    job = store.intake.put(new_job(), "accepted").job
    lease = _take(store, job.id)[1] if running else None

    assert store.cancel(job.id, "the client asked")
    assert not store.cancel(job.id, "again")
    assert _get(store, job.id).state is JobState.CANCELED
    assert store.leases.take(job.id, "late", 60) is None
    assert lease is None or not store.leases.heartbeat(lease, 60, 0.5, "separating")


def test_the_queue_position_counts_earlier_jobs_of_the_pool(store: JobStore) -> None:
    first, other, second = (
        store.intake.put(new_job(pool=pool), "accepted").job
        for pool in ("separate.a.cpu", "separate.b.cpu", "separate.a.cpu")
    )

    assert [_position(store, job) for job in (first, other, second)] == [0, 0, 1]
    _take(store, first.id)
    assert _position(store, first) is None
    assert _position(store, second) == 0


def test_recent_jobs_come_newest_first(store: JobStore) -> None:
    ids = [store.intake.put(new_job(), "accepted").job.id for _ in range(3)]

    assert [job.id for job in store.recent(2)] == ids[:0:-1]


def test_the_migrations_make_exactly_the_tables_of_the_code(url: str) -> None:
    migrate(url)
    migrate(url)  # a second run finds nothing to do
    engine = connect(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        difference = compare_metadata(context, metadata)
    engine.dispose()

    assert difference == []


def test_many_processes_may_migrate_at_once(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: migrate(url), range(4)))

    store = JobStore(url)
    store.ping()
    store.close()


def test_a_store_that_does_not_answer_is_transient() -> None:
    store = JobStore("postgresql://nobody@127.0.0.1:9/none?connect_timeout=2")
    with pytest.raises(TransientError) as caught:
        store.ping()
    assert caught.value.code == "store_unavailable"


def test_a_store_without_tables_is_said_so(tmp_path: Path) -> None:
    store = JobStore(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    with pytest.raises(TransientError, match="no such table"):
        store.ping()
    store.close()


def test_every_move_not_in_the_table_is_refused() -> None:
    ended = [state for state, targets in MOVES.items() if not targets]

    assert ended == [JobState.FAILED, JobState.CANCELED, JobState.EXPIRED]
    assert set(MOVES) == set(JobState)


def _take(store: JobStore, job_id: str, seconds: float = 60) -> tuple[Job, Lease]:
    taken = store.leases.take(job_id, "worker", seconds)
    assert taken is not None
    return taken


def _get(store: JobStore, job_id: str) -> Job:
    job = store.get(job_id)
    assert job is not None
    return job


def _timeline(store: JobStore, job_id: str) -> list[Event]:
    view = store.view(job_id)
    assert view is not None
    return view.timeline


def _position(store: JobStore, job: Job) -> int | None:
    view = store.view(job.id)
    assert view is not None
    return view.queue_position


def test_pages_of_ones_own_jobs(store: JobStore) -> None:
    sent = [store.intake.put(new_job(owner=owner), "accepted").job for owner in ("me", "you", "me", "me")]
    other = replace(sent[0], id=new_job_id(), spec=spec_of("htdemucs", stems=("vocals",)))
    sent.append(store.intake.put(other, "accepted").job)
    mine = [job.id for job in reversed(sent) if job.owner == "me"]

    first = store.page(Filter(owner="me"), 3)
    rest = store.page(Filter(owner="me"), 3, first.cursor)

    assert [job.id for job in (*first.jobs, *rest.jobs)] == mine
    assert rest.cursor is None
    assert [job.id for job in store.page(Filter(owner="me", model="htdemucs"), 9).jobs] == [other.id]
    assert store.page(Filter(owner="me", states=(JobState.FAILED,)), 9).jobs == []
    assert len(store.page(Filter(created_after=sent[1].created_at), 9).jobs) == 3
    assert len(store.page(Filter(created_before=sent[1].created_at), 9).jobs) == 1


def test_keys_are_kept_and_revoked(store: JobStore) -> None:
    assert not store.keys.any()
    key, token = new_key("band", frozenset({Scope.READ}))
    store.keys.add(key)

    kept = store.keys.find(key.id)
    assert kept == replace(key, created_at=kept.created_at if kept else 0.0)
    parts = parse_token(token)
    assert parts is not None
    assert kept is not None
    assert fits(kept, parts[1])
    assert not fits(kept, parts[1][:-1] + "x" * (parts[1][-1] != "x") + "y" * (parts[1][-1] == "x"))
    assert store.keys.revoke(key.id)
    revoked = store.keys.find(key.id)
    assert revoked is not None
    assert not fits(revoked, parts[1])
    assert store.keys.any()


@pytest.mark.parametrize("job_id", ["a\x00b", "\x00", "../x", "é" * 40, ""])
def test_an_id_that_no_database_takes_is_no_job(store: JobStore, tmp_path: Path, job_id: str) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    acceptance = make(settings, store, open_storage(settings)).acceptance
    for ask in (acceptance.view, acceptance.cancel, acceptance.erase):
        with pytest.raises(UsageError) as caught:
            ask(job_id, None)
        assert caught.value.code == "job_not_found"


def test_a_fetched_track_goes_on_where_it_is_separated(store: JobStore) -> None:
    job_id = new_job_id()
    options = spec_of("demo", stems=("vocals",))
    job = job_of(
        job_id,
        JobState.QUEUED,
        options,
        "fetch",
        input_key(job_id),
        "track",
        0,
        "https://example.org/a.mp3",
        next_pool="separate.demo.cpu",
    )
    store.intake.put(job, "accepted")
    taken = store.leases.take(job_id, "fetcher", 60)
    assert taken is not None
    lease = taken[1]

    assert not store.leases.hand_on(Lease(job_id, 7, "another"), [Input("n", "k", 1)], None)
    assert store.leases.hand_on(lease, [Input("a.mp3", f"{lease.prefix}/input", 9)], 2.5)
    assert not store.leases.hand_on(lease, [Input("n", "again", 1)], None)  # once

    found = store.get(job_id)
    assert found is not None
    assert (found.state, found.pool, found.next_pool) == (JobState.QUEUED, "separate.demo.cpu", None)
    assert (found.inputs[0].key, found.inputs[0].name, found.inputs[0].bytes) == (f"{lease.prefix}/input", "a.mp3", 9)
    assert (found.max_attempts - found.attempt, found.published_at) == (3, None)  # fetching cost no attempt
    assert store.outbox.claim() == [Claimed(job_id, "separate.demo.cpu", 1)]


def test_only_what_was_to_be_fetched_is_handed_on(store: JobStore) -> None:
    job_id = new_job_id()
    options = spec_of("demo", stems=("vocals",))
    store.intake.put(
        job_of(job_id, JobState.QUEUED, options, "separate.demo.cpu", input_key(job_id), "a", 1), "accepted"
    )
    taken = store.leases.take(job_id, "worker", 60)
    assert taken is not None
    assert not store.leases.hand_on(taken[1], [Input("n", "k", 1)], None)


def test_usage_outlives_its_job_and_ends_in_its_time(store: JobStore) -> None:
    job_id = new_job_id()
    options = spec_of("demo", stems=("vocals",))
    job = job_of(job_id, JobState.QUEUED, options, "separate.demo.cpu", input_key(job_id), "a", 1, owner="alice")
    store.intake.put(job, "accepted", seconds=60.0)
    taken = store.leases.take(job_id, "worker", 60)
    assert taken is not None
    store.usage.spend(job_id, 1.5)
    store.usage.spend(job_id, 2.0)
    store.leases.succeed(taken[1], {"duration_seconds": 61.0}, {})
    store.delete(job_id)

    (account,) = store.usage.accounts(0, owner="alice")
    assert (account.jobs, account.audio_seconds, account.device_seconds) == ({"succeeded": 1}, 61.0, 3.5)
    assert store.usage.accounts(0, owner="bob") == []
    assert store.usage.forget(60) == 0
    assert store.usage.forget(-1) == 1
    assert store.usage.accounts(0) == []
