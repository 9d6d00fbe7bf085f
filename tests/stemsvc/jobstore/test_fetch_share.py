"""What one key, and one host, may hold of the fetchers' threads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from stemsvc.jobs.pools import FETCH
from stemsvc.jobs.record import Job
from stemsvc.jobs.spec import Input
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.workers import Worker
from tests.stemsvc.jobstore.racing import POOL, link_job, new_job, put, race, racers

SLOW, OTHER = "http://slow.example/a.wav", "https://other.example/b.wav"
THREADS = 8
SHARE = 6


@pytest.fixture
def store(store: JobStore) -> JobStore:
    """A store with one fetcher of so many threads, which no message runs ahead of."""
    store.outbox._ahead = 1
    serve(store, THREADS)
    return store


def serve(store: JobStore, threads: int) -> None:
    store.workers.beat(Worker("fetcher", (FETCH,), "", "", slots=threads), 600)


def linked(store: JobStore, owner: str, *urls: str) -> Job:
    return put(store, replace(link_job(owner), inputs=tuple(Input("song.wav", url=url) for url in urls)))


def fetched_at_once(store: JobStore) -> list[Job]:
    """The jobs whose messages are sent and taken one after the other, until no more may be. None of them ends."""
    jobs = []
    while claimed := store.outbox.claim():
        for each in claimed:
            taken = store.leases.take(each.job_id, "fetcher", 600)
            assert taken
            jobs.append(taken[0])
    return jobs


def owners(jobs: Sequence[Job]) -> Counter[str]:
    return Counter(each.owner for each in jobs)


def test_a_key_with_many_links_leaves_others_a_quarter_of_the_threads(store: JobStore) -> None:
    for number in range(20):
        linked(store, "many", f"http://host-{number}.example/a.wav")
    assert owners(fetched_at_once(store)) == {"many": SHARE}
    assert store.outbox.rooms() == set()

    late = [linked(store, "late", OTHER) for _ in range(2)]

    assert store.outbox.rooms() == {FETCH}
    assert {each.id for each in fetched_at_once(store)} == {each.id for each in late}


def test_a_host_with_links_of_many_keys_leaves_other_hosts_a_quarter_of_the_threads(store: JobStore) -> None:
    for number in range(20):
        linked(store, f"key-{number}", SLOW)
    assert len(fetched_at_once(store)) == SHARE

    late = [linked(store, "key-0", OTHER), linked(store, "late", OTHER)]

    assert {each.id for each in fetched_at_once(store)} == {each.id for each in late}


def test_a_host_is_bound_where_there_are_no_keys(store: JobStore) -> None:
    for _ in range(20):
        linked(store, "", SLOW)
    assert len(fetched_at_once(store)) == SHARE


@pytest.mark.parametrize(
    "address",
    ["http://SLOW.example:8080/b.wav", "https://user:word@slow.example./c.wav", "http://slow.example/d.wav?e#f"],
)
def test_every_spelling_of_a_host_is_that_host(store: JobStore, address: str) -> None:
    for number in range(SHARE):
        linked(store, f"key-{number}", SLOW)
    assert len(fetched_at_once(store)) == SHARE

    linked(store, "late", address)

    assert fetched_at_once(store) == []


def test_a_job_counts_for_each_host_of_its_links(store: JobStore) -> None:
    for number in range(SHARE):
        linked(store, f"key-{number}", f"http://host-{number}.example/a.wav", SLOW)
    assert len(fetched_at_once(store)) == SHARE

    linked(store, "late", SLOW)
    linked(store, "late", OTHER, SLOW)
    free = linked(store, "late", OTHER)

    assert [each.id for each in fetched_at_once(store)] == [free.id]


def test_who_is_done_makes_room(store: JobStore) -> None:
    for number in range(20):
        linked(store, f"key-{number}", SLOW)
    first, *_ = fetched_at_once(store)

    assert store.cancel(first.id, "no longer wanted")

    assert len(fetched_at_once(store)) == 1


def test_messages_that_nobody_has_taken_count_too(store: JobStore) -> None:
    for number in range(20):
        linked(store, f"key-{number}", SLOW)
    assert len(store.outbox.claim()) == SHARE
    other = linked(store, "late", OTHER)
    assert [each.job_id for each in store.outbox.claim()] == [other.id]


@pytest.mark.parametrize(("threads", "share"), [(1, 1), (2, 1), (3, 2), (4, 3), (16, 12)])
def test_the_share_is_of_the_threads_and_not_of_the_messages_that_run_ahead(
    store: JobStore, threads: int, share: int
) -> None:
    store.outbox._ahead = 100
    serve(store, threads)
    for number in range(30):
        linked(store, "many", f"http://host-{number}.example/a.wav")
    assert len(fetched_at_once(store)) == share


def test_no_other_pool_has_a_share(store: JobStore) -> None:
    store.workers.beat(Worker("worker", (POOL,), "cpu", "", slots=THREADS), 600)
    for _ in range(20):
        put(store, new_job("many"))
    assert len(store.outbox.claim()) == THREADS


def test_dispatchers_that_claim_at_once_keep_the_shares(url: str) -> None:
    with racers(url, ahead=1) as stores:
        serve(stores[0], THREADS)
        for number in range(20):
            linked(stores[0], f"key-{number % 7}", SLOW)
            linked(stores[0], "many", f"http://host-{number}.example/a.wav")

        claimed = [each for found in race(stores, lambda store: store.outbox.claim()) for each in found]

        jobs = [job for each in claimed if (job := stores[0].get(each.job_id))]
        hosts = Counter(each.inputs[0].url for each in jobs)
        assert len({each.job_id for each in claimed}) == len(claimed) == THREADS
        assert hosts[SLOW] <= SHARE
        assert owners(jobs)["many"] <= SHARE
