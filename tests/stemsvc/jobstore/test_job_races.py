"""What several processes do to jobs and their queues at the same moment, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from stemsvc.errors import StemsvcError
from stemsvc.jobs.record import JobState, Lease
from stemsvc.jobs.spec import Input
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.bounds import Bounds
from stemsvc.jobstore.intake import IdempotencyKey
from stemsvc.jobstore.tables import jobs
from tests.stemsvc.jobstore.racing import (
    POOL,
    RACERS,
    ROUNDS,
    assert_counts_are_right,
    link_job,
    new_job,
    put,
    race,
    race_all,
    racers,
    taken,
)

AHEAD = 7
OTHER = "separate.other.cpu"
HOOK = "https://example.org/hook"


@pytest.fixture
def stores(url: str) -> Iterator[list[JobStore]]:
    with racers(url, ahead=AHEAD) as made:
        yield made


def accepted(store: JobStore, owner: str, bounds: Bounds, key: IdempotencyKey | None = None, seconds: float = 0) -> Any:
    """The job's id, or the error's code."""
    try:
        return store.intake.put(new_job(owner), "accepted", bounds, key, seconds).job.id
    except StemsvcError as error:
        return error.code


def cancel(store: JobStore, job_id: str) -> bool:
    return store.cancel(job_id, "no")


def delete(store: JobStore, job_id: str) -> bool:
    return store.delete(job_id)


def take(store: JobStore, job_id: str) -> bool:
    return store.leases.take(job_id, "worker", 60) is not None


def hand_on(store: JobStore, lease: Lease) -> bool:
    return store.leases.hand_on(lease, [Input("song.mp3", "key", 1)], None)


def move(store: JobStore, job_id: str, old: str, new: str) -> bool:
    return store.reroute(job_id, old, new, "moved")


def unclaim(store: JobStore, job_ids: list[str]) -> None:
    store.outbox.unclaim(job_ids)


# --- acceptance ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bounds", "seconds", "code"),
    [
        (Bounds(pool=1000, owner=2), 0.0, "key_queue_full"),
        (Bounds(pool=1000, owner=1000, seconds_per_day=25.0), 10.0, "quota_exceeded"),
    ],
)
def test_an_owner_gets_no_more_than_is_allowed(
    stores: list[JobStore], bounds: Bounds, seconds: float, code: str
) -> None:
    for number in range(ROUNDS):
        got = race(stores, accepted, f"owner-{number}", bounds, None, seconds)
        assert got.count(code) == RACERS - 2


def test_a_pool_takes_no_more_than_it_has_room_for(stores: list[JobStore]) -> None:
    for number in range(1, ROUNDS + 1):
        got = race(stores, accepted, "", Bounds(pool=2 * number, owner=1000))
        assert got.count("queue_full") == RACERS - 2


def test_a_key_makes_one_job_and_takes_one_request(stores: list[JobStore]) -> None:
    room = Bounds(1000, 1000)
    for number in range(ROUNDS):
        got = race(stores, accepted, "me", room, IdempotencyKey(f"same-{number}", "body"))
        assert len(set(got)) == 1

        sent = [IdempotencyKey(f"other-{number}", f"body-{each}") for each in range(RACERS)]
        got = race_all([(store, accepted, "me", room, key) for store, key in zip(stores, sent, strict=True)])
        assert got.count("idempotency_conflict") == RACERS - 1


def test_a_repeat_while_its_job_is_deleted_gets_a_job(stores: list[JobStore]) -> None:
    room = Bounds(1000, 1000)
    for number in range(4 * ROUNDS):
        key = IdempotencyKey(f"k-{number}", "body")
        first = accepted(stores[0], "me", room, key)
        again = [(store, accepted, "me", room, key) for store in stores[1:]]
        deleted, *got = race_all([(stores[0], delete, first), *again])
        assert deleted
        assert all(len(each) == 32 for each in got), got  # ids, not codes


def test_turns_are_given_once(stores: list[JobStore]) -> None:
    """Whether a job is accepted, handed on by a fetcher, or moved from another pool."""
    for number in range(ROUNDS):
        owner = f"owner-{number}"
        one, two = [taken(stores[0], put(stores[0], link_job(owner))) for _ in range(2)]
        three, four = [put(stores[0], new_job(owner, OTHER)).id for _ in range(2)]
        assert all(
            race_all(
                [
                    (stores[0], hand_on, one),
                    (stores[1], hand_on, two),
                    (stores[2], move, three, OTHER, POOL),
                    (stores[3], move, four, OTHER, POOL),
                    (stores[4], lambda store, owner: put(store, new_job(owner)), owner),
                ]
            )
        )
        query = sa.select(jobs.c.turn).where(jobs.c.owner == owner, jobs.c.pool == POOL)
        with stores[0]._engine.begin() as connection:
            turns = sorted(connection.execute(query).scalars())
        assert turns == [turns[0] + each for each in range(5)]  # each job costs 1
    assert_counts_are_right(stores[0])


# --- messages --------------------------------------------------------------------------------------------------------


def test_dispatchers_at_once_fill_the_room_once(stores: list[JobStore]) -> None:
    for each in range(3 * AHEAD):
        put(stores[0], new_job(f"owner-{each % 3}"))
    for _ in range(ROUNDS):
        claims = race(stores, lambda store: store.outbox.claim(100))
        ids = [claimed.job_id for each in claims for claimed in each]
        assert len(ids) == len(set(ids)) == AHEAD
        race_all([(stores[0], unclaim, ids[:3]), (stores[1], unclaim, ids[3:])])
    assert_counts_are_right(stores[0])


def test_a_lost_message_is_found_once(stores: list[JobStore]) -> None:
    for _ in range(AHEAD):
        put(stores[0], new_job())
    for _ in range(ROUNDS):
        assert len(stores[0].outbox.claim(100)) == AHEAD
        assert sum(race(stores, lambda store: store.outbox.forget(POOL, 1, -1))) == AHEAD
    assert_counts_are_right(stores[0])


def test_a_job_is_moved_to_another_pool_once(stores: list[JobStore]) -> None:
    for _ in range(ROUNDS):
        job = put(stores[0], new_job())
        assert sum(race(stores, move, job.id, POOL, OTHER)) == 1
    assert_counts_are_right(stores[0])


def test_counting_again_disturbs_nobody(stores: list[JobStore]) -> None:
    for number in range(2 * ROUNDS):
        mine = [put(stores[0], new_job()) for _ in range(2)]
        stores[0].outbox.claim(100)
        race_all(
            [
                (stores[0], lambda store: store.recount()),
                (stores[1], lambda store, pool: put(store, new_job("new", pool)), f"separate.new-{number}.cpu"),
                (stores[2], take, mine[0].id),
                (stores[3], cancel, mine[1].id),
                (stores[4], lambda store: store.tidy()),
            ]
        )
        assert_counts_are_right(stores[0])


# --- attempts and ends -----------------------------------------------------------------------------------------------


def test_a_job_is_taken_once(stores: list[JobStore]) -> None:
    for _ in range(ROUNDS):
        assert sum(race(stores, take, put(stores[0], new_job()).id)) == 1
    assert_counts_are_right(stores[0])


def test_an_attempt_ends_once(stores: list[JobStore]) -> None:
    for _ in range(ROUNDS):
        job = put(stores[0], new_job(webhook_url=HOOK))
        lease = taken(stores[0], job, -1)  # which has run out already
        ends = race_all(
            [
                (stores[0], lambda store, lease: store.leases.succeed(lease, {}, {}), lease),
                (stores[1], lambda store, lease: store.leases.fail(lease, "not_audio", "no"), lease),
                (stores[2], lambda store, lease: store.leases.give_back(lease, "later", 0.0), lease),
                (stores[3], lambda store, lease: store.leases.take_back(lease, "dead"), lease),
                (stores[4], lambda store: store.leases.reap(60)),
            ]
        )
        assert sum(map(bool, ends)) == 1
        view = stores[0].view(job.id)
        assert view is not None
        assert len(view.timeline) == 3
    assert_counts_are_right(stores[0])


def test_a_lease_that_ran_out_is_reaped_once(stores: list[JobStore]) -> None:
    for _ in range(ROUNDS):
        mine = [put(stores[0], new_job()) for _ in range(3)]
        for each in mine:
            taken(stores[0], each, -1)
        reaped = [job.id for found in race(stores, lambda store: store.leases.reap(60)) for job in found]
        assert sorted(reaped) == sorted(each.id for each in mine)
    assert_counts_are_right(stores[0])


def test_a_cancel_finds_a_job_that_goes_back_and_forth(stores: list[JobStore]) -> None:
    def work(store: JobStore, job_id: str) -> None:
        for _ in range(8):
            found = store.leases.take(job_id, "worker", 60)
            if found is None or not store.leases.give_back(found[1], "again", 0.0, counted=False):
                return

    for _ in range(3 * ROUNDS):
        job = put(stores[0], new_job())
        assert race_all([(stores[0], work, job.id), (stores[1], cancel, job.id)])[1]
        kept = stores[0].get(job.id)
        assert kept is not None
        assert kept.state is JobState.CANCELED
    assert_counts_are_right(stores[0])


def test_a_job_is_canceled_once(stores: list[JobStore]) -> None:
    for _ in range(ROUNDS):
        assert sum(race(stores, cancel, put(stores[0], new_job()).id)) == 1
    assert_counts_are_right(stores[0])


def test_progress_is_announced_of_a_job_that_is_there_or_not_at_all(stores: list[JobStore]) -> None:
    for _ in range(4 * ROUNDS):
        job = put(stores[0], new_job(webhook_url=HOOK))
        lease = taken(stores[0], job)
        progress = [(each, lambda store, own: store.leases.announce(own, "job.progress"), lease) for each in stores[1:]]
        race_all([*progress, (stores[0], delete, job.id)])
        assert stores[0].webhooks.recent(job_id=job.id) == []


def test_results_expire_once(stores: list[JobStore]) -> None:
    for _ in range(ROUNDS):
        job = put(stores[0], new_job())
        assert stores[0].leases.succeed(taken(stores[0], job), {}, {"vocals": {"key": "k"}})
        assert [each for found in race(stores, lambda store: store.expire(-1)) for each in found] == [job.id]
    assert sum(race(stores, lambda store: store.forget(-1))) == ROUNDS
