from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from stemsvc.jobs.record import Job, JobState, Priority, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import migrate
from stemsvc.jobstore.tables import lines
from stemsvc.jobstore.workers import Worker
from tests.specs import job_of, spec_of

POOL = "separate.demo.cpu"


@pytest.fixture
def narrow(store: JobStore) -> JobStore:
    """A store that publishes one job at a time, as where no worker is known."""
    store.outbox._ahead = 1
    return store


def put(store: JobStore, owner: str, priority: Priority = Priority.NORMAL, cost: float = 1.0, pool: str = POOL) -> Job:
    job_id = new_job_id()
    options = spec_of("demo", stems=("vocals",), priority=priority.word)
    job = job_of(job_id, JobState.QUEUED, options, pool, f"jobs/{job_id}/input", "a.mp3", 1, owner=owner)
    return store.intake.put(replace(job, priority=int(priority), cost=cost), "accepted").job


def serve(store: JobStore, count: int) -> list[str]:
    """Owners of the next jobs that are published and taken, one after the other."""
    owners = []
    for _ in range(count):
        for claimed in store.outbox.claim():
            taken = store.leases.take(claimed.job_id, "worker", 60)
            assert taken
            owners.append(taken[0].owner)
            store.leases.succeed(taken[1], {}, {})
    return owners


def test_who_comes_late_stands_before_the_rest_of_anothers_jobs(narrow: JobStore) -> None:
    for _ in range(20):
        put(narrow, "many")
    assert serve(narrow, 5) == ["many"] * 5

    few = [put(narrow, "few") for _ in range(2)]

    assert serve(narrow, 4).count("few") == 2
    assert all(job.turn < 7 for job in few)


def test_shares_are_of_the_devices_time(narrow: JobStore) -> None:
    for _ in range(12):
        put(narrow, "long", cost=3.0)
        put(narrow, "short", cost=1.0)

    served = serve(narrow, 12)

    assert (served.count("long"), served.count("short")) == (3, 9)


def test_no_credit_is_saved_up_while_nothing_is_asked_for(narrow: JobStore) -> None:
    put(narrow, "early")
    serve(narrow, 1)
    for _ in range(30):
        put(narrow, "busy")
    serve(narrow, 10)
    for _ in range(10):
        put(narrow, "early")

    served = serve(narrow, 10)

    assert 4 <= served.count("early") <= 6


def test_high_goes_before_normal_and_normal_before_low(narrow: JobStore) -> None:
    for name, priority in (("l", Priority.LOW), ("n", Priority.NORMAL), ("h", Priority.HIGH)):
        for _ in range(2):
            put(narrow, name, priority)
    assert serve(narrow, 6) == ["h", "h", "n", "n", "l", "l"]


def test_a_high_job_gets_its_message_although_others_have_theirs(narrow: JobStore) -> None:
    for _ in range(3):
        put(narrow, "n")
    (first,) = narrow.outbox.claim()
    assert narrow.outbox.claim() == []  # one waits for the pool already

    high = put(narrow, "h", Priority.HIGH)

    (claimed,) = narrow.outbox.claim()
    assert (claimed.job_id, claimed.queue) == (high.id, f"{POOL}.high")
    assert first.queue == POOL


def test_jobs_that_pause_keep_no_lower_ones_waiting(narrow: JobStore) -> None:
    high, low = put(narrow, "a", Priority.HIGH), put(narrow, "a", Priority.LOW)
    (claimed,) = narrow.outbox.claim()
    taken = narrow.leases.take(claimed.job_id, "worker", 60)
    assert taken
    assert narrow.leases.give_back(taken[1], "storage is away", 600.0)

    assert [each.job_id for each in narrow.outbox.claim()] == [low.id]
    assert taken[0].id == high.id


def test_messages_run_ahead_by_one_for_each_slot(narrow: JobStore) -> None:
    narrow.workers.beat(Worker("one", (POOL,), "cpu", "", slots=2), 60)
    narrow.workers.beat(Worker("two", (POOL, "other"), "cpu", "", slots=1), 60)
    narrow.workers.beat(Worker("dead", (POOL,), "cpu", "", slots=8), -1)
    for _ in range(9):
        put(narrow, "a")
    put(narrow, "a", pool="nobody")

    claimed = narrow.outbox.claim()

    assert sorted(each.pool for each in claimed) == ["nobody", POOL, POOL, POOL]
    assert narrow.outbox.claim() == []
    assert narrow.outbox.rooms() == set()
    narrow.leases.take(next(each.job_id for each in claimed if each.pool == POOL), "one", 60)
    assert narrow.outbox.rooms() == {POOL}


def test_a_place_in_line_is_what_goes_before(narrow: JobStore) -> None:
    mine = [put(narrow, "a") for _ in range(3)]
    late = put(narrow, "b")
    low, high = put(narrow, "a", Priority.LOW), put(narrow, "a", Priority.HIGH)

    positions = [getattr(narrow.view(job.id), "queue_position", None) for job in (high, mine[0], late, *mine[1:], low)]

    assert positions == [0, 1, 2, 3, 4, 5]


def test_every_move_keeps_the_count_and_a_recount_agrees(narrow: JobStore) -> None:
    kept = [put(narrow, owner, priority) for owner in "ab" for priority in Priority]
    taken = narrow.leases.take(kept[0].id, "worker", 60)
    assert taken
    narrow.cancel(kept[1].id, "no")
    narrow.delete(kept[1].id)
    assert narrow.waiting() == {POOL: {0: 1, 1: 1, 2: 2}}
    narrow.leases.give_back(taken[1], "again", 0.0, pool="other")
    assert narrow.waiting() == {POOL: {0: 1, 1: 1, 2: 2}, "other": {0: 1}}
    assert narrow.reroute(kept[0].id, "other", POOL, "there is room")
    assert not narrow.reroute(kept[0].id, "other", POOL, "it is there no more")
    right = {POOL: {0: 2, 1: 1, 2: 2}, "other": {0: 0}}
    assert narrow.waiting() == right

    with narrow._engine.begin() as connection:
        connection.execute(sa.update(lines).values(waiting=77))
    narrow.recount()

    assert narrow.waiting() == right


def test_shares_that_tell_nothing_any_more_are_forgotten(narrow: JobStore) -> None:
    put(narrow, "gone")
    serve(narrow, 1)
    for _ in range(3):
        put(narrow, "here")
    serve(narrow, 2)

    narrow.tidy()

    with narrow._engine.connect() as connection:
        owners = connection.execute(sa.text("SELECT owner FROM shares")).scalars().all()
    assert owners == ["here"]


@pytest.mark.parametrize("more", ["waiting", "published"])
def test_what_a_decision_costs_does_not_grow_with_the_line(tmp_path: Path, more: str) -> None:
    migrate(f"sqlite:///{tmp_path / 'jobs.sqlite'}")
    store = JobStore(f"sqlite:///{tmp_path / 'jobs.sqlite'}", ahead=30)
    for _ in range(40):
        put(store, "before")
    assert len(store.outbox.claim()) == 30
    decision, look = _steps(store, lambda: _publish_one(store)), _steps(store, lambda: store.outbox.waiting(60.0))

    for _ in range(300):
        put(store, "many")
    if more == "published":
        store.outbox._ahead += 300
        assert len(store.outbox.claim(1000)) == 300

    assert _steps(store, lambda: _publish_one(store)) < 1.5 * decision
    if more == "waiting":  # how many are published is for the workers to say
        assert _steps(store, lambda: store.outbox.waiting(60.0)) < 1.5 * look
    store.close()


def _publish_one(store: JobStore) -> None:
    store.outbox._ahead += 1
    assert len(store.outbox.claim()) == 1
    assert store.outbox.claim() == []


def _steps(store: JobStore, action: Callable[[], object]) -> int:
    """Steps of SQLite's machine, in tens."""
    steps = 0

    def tick() -> int:
        nonlocal steps
        steps += 1
        return 0

    with store._engine.connect() as connection:  # the pool's only one
        raw: Any = connection.connection.driver_connection
        raw.set_progress_handler(tick, 10)
    action()
    raw.set_progress_handler(None, 10)
    return steps
