"""A drained pool takes no new work, finishes what it does, and takes up again what waited."""

from __future__ import annotations

import pytest

from stemsvc.jobs.record import JobState, input_key, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.audit import By, Via
from stemsvc.jobstore.workers import Worker
from tests.specs import job_of, spec_of

POOL, OTHER = "separate.demo.cpu", "separate.demo.cuda"
ADMIN = By(Via.API, "a-key", "a-request")


def queued(store: JobStore, pool: str = POOL) -> str:
    job_id = new_job_id()
    job = job_of(job_id, JobState.QUEUED, spec_of("demo"), pool, input_key(job_id), "a.mp3", 1)
    store.intake.put(job, "accepted")
    return job_id


def claimed(store: JobStore) -> list[str]:
    return [each.job_id for each in store.outbox.claim()]


def test_a_drained_pool_gets_no_message_and_gives_no_lease(store: JobStore) -> None:
    runs, sent = queued(store), queued(store)
    assert claimed(store) == [runs, sent]
    taken = store.leases.take(runs, "worker", 60)
    assert taken is not None

    assert store.drains.drain(POOL, "a new card")
    waits, elsewhere = queued(store), queued(store, OTHER)

    assert claimed(store) == [elsewhere]
    assert store.leases.take(sent, "worker", 60) is None  # its message is in the broker still
    assert store.leases.take(waits, "worker", 60) is None
    assert store.leases.heartbeat(taken[1], 60, 0.5, "separating")
    assert store.leases.succeed(taken[1], {}, {})
    assert store.outbox.waiting(-1.0) == {(OTHER, 1): 1}  # nobody misses the messages of a drained pool


def test_a_resumed_pool_gets_the_messages_of_all_that_waited(store: JobStore) -> None:
    first = queued(store)
    claimed(store)
    store.drains.drain(POOL)
    second = queued(store)

    assert store.drains.resume(POOL)

    assert claimed(store) == [first, second]
    assert store.leases.take(first, "worker", 60) is not None
    assert store.waiting()[POOL] == {1: 1}


def test_workers_of_a_drained_pool_count_for_no_slot(store: JobStore) -> None:
    store.workers.beat(Worker("one", (POOL, OTHER), "cpu", "a processor", 2), 60)
    store.drains.drain(POOL)
    assert store.workers.slots() == {OTHER: 2}


def test_a_drain_is_recorded_once_with_who_did_it(store: JobStore) -> None:
    assert store.drains.drain(POOL, "a new card", ADMIN)
    assert not store.drains.drain(POOL, "another word", ADMIN)
    assert store.drains.all()[POOL].why == "a new card"
    assert store.drains.resume(POOL, ADMIN)
    assert not store.drains.resume(POOL, ADMIN)

    newest, first = store.audit.entries(10)
    assert (newest.act, first.act, first.target) == ("pool.resume", "pool.drain", POOL)
    assert (first.via, first.actor, first.request_id, first.detail) == (
        "api",
        "a-key",
        "a-request",
        {"why": "a new card"},
    )
    assert abs(first.at - store.now()) < 60


def test_the_audit_log_is_paged_filtered_and_forgotten(store: JobStore) -> None:
    for name in ("one", "two", "three"):
        store.drains.drain(name, by=ADMIN)
    store.drains.resume("two", By(Via.COMMAND, "root@host"))

    first = store.audit.entries(2)
    assert [each.target for each in first] == ["two", "three"]
    assert [each.target for each in store.audit.entries(9, before=first[-1].id)] == ["two", "one"]
    assert [each.act for each in store.audit.entries(9, actor="root@host")] == ["pool.resume"]
    assert len(store.audit.entries(9, acts=["pool.drain"], target="two")) == 1
    assert store.audit.entries(9, until=store.now() - 60) == []
    assert store.audit.forget(60) == 0
    assert store.audit.forget(-60) == 4


def test_an_act_that_fails_leaves_no_entry(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise RuntimeError("the store broke")

    monkeypatch.setattr(store.outbox, "recall", refuse)
    with pytest.raises(RuntimeError):
        store.drains.drain(POOL, by=ADMIN)
    assert store.audit.entries(9) == []
    assert store.drains.all() == {}
