"""A key's minutes of audio: counted as soon as they are known, by what was used, and never passed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from stemsvc.accounts.keys import DEFAULT_SCOPES, new_key
from stemsvc.errors import QuotaExceeded, StemsvcError, TrackExceedsQuota
from stemsvc.jobs.pools import FETCH
from stemsvc.jobs.record import Job, JobState, Lease, new_job_id
from stemsvc.jobs.spec import Input
from stemsvc.jobstore import JobStore, quota
from stemsvc.jobstore.bounds import Bounds
from stemsvc.jobstore.leases import Origin
from stemsvc.jobstore.tables import usage
from tests.specs import job_of, spec_of

POOL = "separate.demo.cpu"
MINUTES = 10.0


@pytest.fixture
def owner(store: JobStore) -> str:
    """A key that may send ten minutes of audio in a day."""
    key, _ = new_key("band", frozenset(DEFAULT_SCOPES))
    store.keys.add(replace(key, minutes_per_day=MINUTES))
    return key.id


def accept(store: JobStore, owner: str, minutes: float = 0.0, link: bool = False) -> Job:
    """A job whose track has that many minutes; 0: nobody knows."""
    job_id = new_job_id()
    job = job_of(job_id, JobState.QUEUED, spec_of(), POOL, f"jobs/{job_id}/input", "song.mp3", 1, owner=owner)
    if link:
        job = replace(job, pool=FETCH, next_pool=POOL)
    bounds = Bounds(1000, 1000, MINUTES * 60)
    return store.intake.put(job, "accepted", bounds, seconds=minutes * 60).job


def take(store: JobStore, job: Job) -> Lease:
    taken = store.leases.take(job.id, "worker", 60)
    assert taken is not None
    return taken[1]


def code_of(act: Callable[[], Any]) -> str | None:
    try:
        act()
    except StemsvcError as error:
        return error.code
    return None


def age(store: JobStore, job: Job, hours: float) -> None:
    with store._engine.begin() as connection:
        this = usage.update().where(usage.c.job_id == job.id)
        connection.execute(this.values(accepted_at=usage.c.accepted_at - hours * 3600))


def test_a_length_that_is_found_later_counts_from_then_on(store: JobStore, owner: str) -> None:
    lease = take(store, accept(store, owner))
    accept(store, owner, 5)
    store.leases.charge(lease, 5 * 60)

    assert code_of(lambda: accept(store, owner)) == "quota_exceeded"
    assert code_of(lambda: store.leases.charge(lease, 5 * 60)) is None  # another attempt: it counts once


def test_a_length_that_is_found_later_is_held_back(store: JobStore, owner: str) -> None:
    unknown, told = accept(store, owner), accept(store, owner, 6)
    lease = take(store, unknown)
    with pytest.raises(QuotaExceeded) as caught:
        store.leases.charge(lease, 5 * 60)
    assert "6.0 of 10.0 minutes" in caught.value.detail
    assert code_of(lambda: store.leases.charge(lease, 11 * 60)) == "track_exceeds_quota"
    # the header of the other told less than it has: what it told is paid, and a second more
    other = take(store, told)
    assert code_of(lambda: store.leases.charge(other, 6 * 60 + 0.9)) is None
    assert code_of(lambda: store.leases.charge(other, 10 * 60)) is None  # nothing else was counted
    assert code_of(lambda: store.leases.charge(lease, 5)) == "quota_exceeded"


def test_a_fetched_track_that_is_too_long_is_not_handed_on(store: JobStore, owner: str) -> None:
    first, second = (take(store, accept(store, owner, link=True)) for _ in range(2))

    def hand_on(lease: Lease, minutes: float) -> bool:
        return store.leases.hand_on(lease, [Input("song", f"{lease.prefix}/input", 9)], minutes * 60)

    assert hand_on(first, 7)
    with pytest.raises(QuotaExceeded):
        hand_on(second, 7)
    kept = store.get(second.job_id)
    assert kept is not None
    assert (kept.state, kept.pool) == (JobState.RUNNING, FETCH)  # its worker fails it
    assert hand_on(second, 3)


def test_a_track_that_is_longer_than_a_day_s_minutes_never_fits(store: JobStore, owner: str) -> None:
    with pytest.raises(TrackExceedsQuota) as caught:
        accept(store, owner, 10.1)
    assert caught.value.status == 422
    key, _ = new_key("nothing", frozenset(DEFAULT_SCOPES))
    store.keys.add(replace(key, minutes_per_day=0.0))
    lease = take(store, store.intake.put(replace(accept(store, owner), id=new_job_id(), owner=key.id), "x").job)
    assert code_of(lambda: store.leases.charge(lease, 1)) == "track_exceeds_quota"


def test_it_says_when_enough_is_free_again(store: JobStore, owner: str) -> None:
    for minutes, hours in ((1, 20), (4, 10), (5, 1)):
        age(store, accept(store, owner, minutes), hours)

    for minutes, hours in ((1, 4), (2, 14), (5, 14), (6, 23), (10, 23)):
        with pytest.raises(QuotaExceeded) as caught:
            accept(store, owner, minutes)
        assert caught.value.retry_after == pytest.approx(hours * 3600, abs=60)


@pytest.mark.parametrize("end", ["canceled", "failed", "cached", "succeeded"])
def test_a_job_counts_by_what_it_used(store: JobStore, owner: str, end: str) -> None:
    job = accept(store, owner, 8)
    lease = take(store, job)
    for share in (0.5, 0.25):  # the second attempt came less far
        store.usage.spend(job.id, 1.0, share * 8 * 60)
    if end == "canceled":
        store.cancel(job.id, "by the client")
    elif end == "failed":
        store.leases.fail(lease, "time_limit", "it took too long")
    else:
        store.leases.succeed(lease, {"duration_seconds": 8 * 60.0}, {}, Origin(cached=end == "cached"))

    free = {"canceled": 6, "failed": 6, "cached": 10, "succeeded": 2}[end]
    assert code_of(lambda: accept(store, owner, free + 0.01)) in ("quota_exceeded", "track_exceeds_quota")
    assert code_of(lambda: accept(store, owner, free)) is None


def test_what_is_used_after_a_cancel_counts_too(store: JobStore, owner: str) -> None:
    job = accept(store, owner, 8)
    take(store, job)
    store.cancel(job.id, "by the client")
    store.usage.spend(job.id, 1.0, 4 * 60.0)  # the worker notices within a segment

    assert code_of(lambda: accept(store, owner, 7)) == "quota_exceeded"


def test_many_workers_together_do_not_pass_it(
    store: JobStore, url: str, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given sixteen tracks of a minute, of which ten fit, told of at the same moment by workers and by clients, and some
    # time between each one's look at the account and its entry
    def slowly(*arguments: Any, **named: Any) -> None:
        check(*arguments, **named)
        threading.Event().wait(0.05)

    check = quota.check_quota
    monkeypatch.setattr(quota, "check_quota", slowly)
    beside = JobStore(url)
    leases = [take(store, accept(store, owner)) for _ in range(14)]

    def act(number: int) -> None:
        each = (store, beside)[number % 2]
        if number < len(leases):
            each.leases.charge(leases[number], 60)
        else:
            accept(each, owner, 1)

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda number: code_of(lambda: act(number)), range(16)))
    beside.close()

    assert sorted(filter(None, codes)) == ["quota_exceeded"] * 6
    with store._engine.begin() as connection:
        counted = sa.select(sa.func.sum(usage.c.track_seconds)).where(usage.c.owner == owner)
        assert connection.execute(counted).scalar_one() == 600.0


def test_a_key_without_a_quota_sends_what_it_likes(store: JobStore) -> None:
    lease = take(store, accept(store, ""))
    store.leases.charge(lease, 10**6)
