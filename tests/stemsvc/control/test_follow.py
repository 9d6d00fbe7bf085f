"""Waiting for jobs: told at once over Redis, found within a second without it."""

from __future__ import annotations

import threading
import time

import pytest

from stemsvc.control.follow import Watch
from stemsvc.control.subscribers import Followers
from stemsvc.embedded.ports import free_port
from stemsvc.jobs.record import JobState, input_key, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.queue.changes import Changes
from stemsvc.settings import Settings
from tests.specs import job_of, spec_of
from tests.stemsvc.conftest import sqlite_of


@pytest.fixture
def url(settings: Settings) -> str:
    return sqlite_of(settings)


def queued(store: JobStore) -> str:
    job_id = new_job_id()
    options = spec_of("demo", stems=("vocals",))
    job = job_of(job_id, JobState.QUEUED, options, "separate.demo.cpu", input_key(job_id), "song.mp3", 1)
    store.intake.put(job, "accepted")
    return job_id


def seconds_until_told(store: JobStore, watch: Watch, act: JobStore) -> float:
    job_id = queued(store)
    with watch.follow(job_id) as follower:
        first = follower.wait(5)
        assert first is not None
        assert first.state is JobState.QUEUED
        time.sleep(0.2)  # into the pause between two looks
        start = time.monotonic()
        act.cancel(job_id, "test")
        snapshot = follower.wait(10)
    assert snapshot is not None
    assert snapshot.state is JobState.CANCELED
    return time.monotonic() - start


def test_news_wake_who_waits(store: JobStore, settings: Settings, redis_url: str) -> None:
    changes = Changes(redis_url)
    watch, telling = (
        Watch(store, changes),
        JobStore(settings.resolved_database_url, (Followers(changes),), changes.publish),
    )
    took = [seconds_until_told(store, watch, telling) for _ in range(3)]
    for each in (watch, telling, changes):
        each.close()
    assert min(took) < 0.4  # before the next look would have been


@pytest.mark.parametrize("broker", ["amqp://127.0.0.1:1//", "redis://127.0.0.1:{port}/0"])
def test_without_news_the_rows_are_looked_at(store: JobStore, broker: str) -> None:
    changes = Changes(broker.format(port=free_port()))
    watch = Watch(store, changes)
    changes.publish("x")  # and says nothing
    assert seconds_until_told(store, watch, store) < 5
    watch.close()
    changes.close()


def test_many_follow_one_job(store: JobStore) -> None:
    changes = Changes("amqp://x")
    watch, job_id, seen = Watch(store, changes), queued(store), []

    def follow() -> None:
        with watch.follow(job_id) as follower:
            while (snapshot := follower.wait(10)) is not None:
                if snapshot.state is JobState.CANCELED:
                    seen.append(snapshot)
                    return

    threads = [threading.Thread(target=follow) for _ in range(50)]
    for thread in threads:
        thread.start()
    store.cancel(job_id, "test")
    for thread in threads:
        thread.join()
    assert (len(seen), watch.count) == (50, 0)
    watch.close()


def test_a_deleted_job_and_a_closing_process_end_the_wait(store: JobStore) -> None:
    watch, job_id = Watch(store, Changes("amqp://x")), queued(store)
    with watch.follow(job_id) as follower:
        follower.wait(5)
        store.delete(job_id)
        with pytest.raises(LookupError):
            follower.wait(5)
    other = queued(store)
    with watch.follow(other) as follower:
        follower.wait(5)
        threading.Thread(target=watch.close).start()
        with pytest.raises(LookupError):
            follower.wait(5)
    with watch.follow(other) as follower, pytest.raises(LookupError):
        follower.wait(5)
