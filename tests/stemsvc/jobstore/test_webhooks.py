"""The secrets that sign an owner's webhooks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from stemsvc.jobstore import JobStore


def test_of_many_who_ask_at_once_one_makes_the_secret(store: JobStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: store.webhooks.secrets("alice"), range(16)))

    assert len({tuple(each) for each in found}) == 1
    assert len(store.webhooks.secrets("alice")) == 1
