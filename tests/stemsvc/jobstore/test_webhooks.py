"""Tries of deliveries: one at a time, after growing pauses, within bounds; and the secrets that sign them."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

from stemsvc.accounts.webhooks import Delivery, pause
from stemsvc.jobs.record import JobState, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.webhooks import LEASE_SECONDS, Bounds
from tests.specs import job_of, spec_of
from tests.stemsvc.jobstore.interleavings import run_on

BOUNDS = Bounds(host=2, owner=3)


def test_of_many_who_ask_at_once_one_makes_the_secret(store: JobStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: store.webhooks.secrets("alice"), range(16)))

    assert len({tuple(each) for each in found}) == 1
    assert len(store.webhooks.secrets("alice")) == 1


class Tries(RuleBasedStateMachine):
    """Deliveries, senders that crash in the middle of a try, receivers of all sorts, operators that replay."""

    store: JobStore

    made = Bundle("made")
    at_work = Bundle("at_work")

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0
        self.ids: list[str] = []
        self.job_ids: list[str] = []
        self.free_at: dict[str, float] = {}  # when the pause after a delivery's last try is over
        self.taken: dict[str, tuple[str, float]] = {}  # its live lease, and when that ends

    @rule(target=made, host=st.sampled_from(["a", "b"]), owner=st.sampled_from(["", "x", "y"]))
    def end_a_job(self, host: str, owner: str) -> str:
        job_id = new_job_id()
        spec = spec_of("demo", webhook_url=f"http://{host}.example/hook", webhook_events=("job.canceled",))
        job = job_of(
            job_id, JobState.QUEUED, spec, "separate.demo.cpu", f"jobs/{job_id}/input", "a.mp3", 1, owner=owner
        )
        self.store.intake.put(job, "accepted")
        self.store.cancel(job_id, "by the client")
        (delivery,) = self.store.webhooks.recent(job_id=job_id)
        self.ids.append(delivery.id)
        self.job_ids.append(job_id)
        self.free_at[delivery.id] = self.now
        return delivery.id

    @rule(target=at_work, limit=st.integers(1, 5))
    def take(self, limit: int) -> Any:
        found = self.store.webhooks.take(limit, BOUNDS)
        for each in found:
            assert self.free_at[each.id] <= self.now, "a try before its pause was over"
            assert each.id not in self.live(), "two tries of one delivery at once"
            self.taken[each.id] = (str(each.lease), self.now + LEASE_SECONDS)
            self.free_at[each.id] = self.now + 0.8 * shortest(each.attempt)
        assert len({each.id for each in found}) == len(found) <= limit
        return multiple(*found)

    @rule(seconds=st.sampled_from([1.0, 5.0, 30.0, 90.0, 4000.0]))
    def wait(self, seconds: float) -> None:
        """Time passes: what the rows say of it moves into the past."""
        self.skipped += seconds
        moved = ", ".join(f"{name} = {name} - {seconds}" for name in ("next_at", "lease_expires_at"))
        with self.store._engine.begin() as connection:
            connection.execute(sa.text(f"UPDATE webhook_deliveries SET {moved}"))

    @rule(delivery=consumes(at_work))
    def succeed(self, delivery: Delivery) -> None:
        holds = self.holds(delivery)
        assert self.store.webhooks.delivered(delivery, "answered 200") == holds
        if holds:
            del self.taken[delivery.id]

    @rule(delivery=consumes(at_work))
    def fail(self, delivery: Delivery) -> None:
        holds = self.holds(delivery)
        assert self.store.webhooks.failed(delivery, "answered 500", pause(delivery.attempt)) == holds
        if holds:
            del self.taken[delivery.id]
            self.free_at[delivery.id] = self.now + 0.8 * shortest(delivery.attempt)

    @rule(delivery=consumes(at_work))
    def crash(self, delivery: Delivery) -> None:
        """Its process dies and says nothing."""

    @rule(delivery=consumes(at_work))
    def give_back(self, delivery: Delivery) -> None:
        holds = self.holds(delivery)
        assert self.store.webhooks.give_back(delivery) == holds
        if holds:
            del self.taken[delivery.id]
            self.free_at[delivery.id] = self.now

    @rule(delivery_id=made)
    def replay(self, delivery_id: str) -> None:
        assert self.store.webhooks.replay(delivery_id)
        self.free_at[delivery_id] = self.now

    @invariant()
    def no_host_and_no_owner_has_more_than_its_bound(self) -> None:
        found = [each for each in map(self.store.webhooks.find, self.live()) if each]
        hosts, owners = Counter(each.receiver for each in found), Counter(each.owner for each in found if each.owner)
        assert all(count <= BOUNDS.host for count in hosts.values())
        assert all(count <= BOUNDS.owner for count in owners.values())

    def teardown(self) -> None:
        """With senders and receivers that work, each delivery gets through."""
        for _ in range(len(self.ids) + 1):
            self.wait(4000.0)
            for delivery in self.store.webhooks.take(100, BOUNDS):
                assert self.store.webhooks.delivered(delivery, "answered 200")
        states = [each.state for each in map(self.store.webhooks.find, self.ids) if each]
        assert states == ["delivered"] * len(self.ids)
        for job_id in self.job_ids:
            self.store.delete(job_id)

    @property
    def now(self) -> float:
        return time.monotonic() + self.skipped

    def live(self) -> list[str]:
        return [each for each, (_, until) in self.taken.items() if until > self.now]

    def holds(self, delivery: Delivery) -> bool:
        found = self.store.webhooks.find(delivery.id)
        mine = self.taken.get(delivery.id, ("", 0.0))[0] == delivery.lease
        return mine and found is not None and found.state == "pending"


def shortest(attempt: int) -> float:
    return float(min(3600.0, 5.0 * 2 ** (attempt - 1)))


def test_no_interleaving_tries_twice_at_once_or_before_a_pause_is_over(store: JobStore) -> None:
    run_on(store, Tries)


def test_two_senders_at_once_share_the_bounds(store: JobStore) -> None:
    for number in range(12):
        job_id = new_job_id()
        spec = spec_of("demo", webhook_url=f"http://one.example/{number}", webhook_events=("job.canceled",))
        job = job_of(job_id, JobState.QUEUED, spec, "separate.demo.cpu", f"jobs/{job_id}/input", "a.mp3", 1)
        store.intake.put(job, "accepted")
        store.cancel(job_id, "by the client")
    with ThreadPoolExecutor(6) as pool:
        found = [each for taken in pool.map(lambda _: store.webhooks.take(9, BOUNDS), range(12)) for each in taken]

    assert len(found) == BOUNDS.host
    assert len({each.id for each in found}) == BOUNDS.host
