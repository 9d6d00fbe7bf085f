"""A key may say how long the files of its jobs are kept."""

from __future__ import annotations

from dataclasses import replace

from stemsvc.accounts.keys import Scope, new_key
from stemsvc.accounts.retention import Retention
from stemsvc.jobs.record import JobState, input_key, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.audit import By, Via
from tests.specs import job_of, spec_of


def key_with(store: JobStore, seconds: float | None) -> str:
    key, _ = new_key("somebody", frozenset({Scope.SUBMIT}))
    store.keys.add(replace(key, retention_seconds=seconds))
    return key.id


def ended(store: JobStore, owner: str, *, succeeds: bool = True) -> str:
    job_id = new_job_id()
    job = job_of(job_id, JobState.QUEUED, spec_of("demo"), "separate.demo.cpu", input_key(job_id), "a.mp3", 1)
    store.intake.put(replace(job, owner=owner), "accepted")
    taken = store.leases.take(job_id, "worker", 60)
    assert taken is not None
    assert store.leases.succeed(taken[1], {}, {}) if succeeds else store.leases.fail(taken[1], "worker_lost", "gone")
    return job_id


def test_files_go_when_their_key_says_so(store: JobStore) -> None:
    soon, late, unsaid = key_with(store, 0.0), key_with(store, 3600.0), key_with(store, None)
    jobs = {owner: ended(store, owner) for owner in (soon, late, unsaid, "")}

    assert store.expire(3600.0) == [jobs[soon]]
    assert store.expire(None) == []
    assert sorted(store.expire(-1.0)) == sorted([jobs[unsaid], jobs[""]])  # and the one that keeps them longer has them
    assert store.keys.retain(late, -1.0)
    assert store.expire(None) == [jobs[late]]


def test_inputs_kept_for_a_retry_go_with_them(store: JobStore) -> None:
    soon = key_with(store, 0.0)
    failed, kept = ended(store, soon, succeeds=False), ended(store, key_with(store, 3600.0), succeeds=False)
    assert store.release(3600.0) == [failed]
    assert store.release(0.0) == [kept]


def test_a_changed_retention_counts_at_once_and_is_audited(store: JobStore) -> None:
    key_id = key_with(store, 60.0)
    retention = Retention(10.0, store.keys.retentions)
    assert (retention.seconds(key_id), retention.seconds("another"), retention.seconds("")) == (60.0, 10.0, 10.0)

    assert store.keys.retain(key_id, None, By(Via.COMMAND, "root@host"))

    assert retention.seconds(key_id) == 10.0
    (entry,) = store.audit.entries(9)
    assert (entry.act, entry.target, entry.detail) == ("key.change", key_id, {"retention_seconds": None})
