"""Following an owner's jobs: told at once over Redis, found within a second without it."""

from __future__ import annotations

import threading
import time

import pytest

from stemsvc.control.feeds import FeedFollower, Feeds, News
from stemsvc.control.subscribers import Followers
from stemsvc.jobs.record import JobState, input_key, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.queue.changes import Changes
from stemsvc.settings import Settings
from tests.processes import wait_for
from tests.specs import job_of, spec_of
from tests.stemsvc.conftest import sqlite_of


@pytest.fixture
def url(settings: Settings) -> str:
    return sqlite_of(settings)


def queued(store: JobStore, owner: str) -> str:
    job_id = new_job_id()
    key, pool = input_key(job_id), "separate.demo.cpu"
    store.intake.put(job_of(job_id, JobState.QUEUED, spec_of("demo"), pool, key, "song.mp3", owner=owner), "accepted")
    return job_id


def next_move(follower: FeedFollower) -> News:
    news = wait_for("a move", lambda: (found := follower.wait(10)) and found.moved and found)
    assert isinstance(news, News)
    return news


def test_each_owner_is_told_of_its_own_jobs(store: JobStore) -> None:
    feeds = Feeds(store, Changes("amqp://x"))
    with feeds.follow("me") as mine, feeds.follow("them") as theirs, feeds.follow(None) as everyone:
        assert all(next_move(each).live == {} for each in (mine, theirs, everyone))  # something may have been before
        job_id = queued(store, "me")
        assert list(next_move(mine).live) == [job_id]
        assert list(next_move(everyone).live) == [job_id]
        store.cancel(job_id, "test")
        assert next_move(mine).live == {}
        assert theirs.wait(1.5) is None
        assert feeds.count == 3
    assert feeds.count == 0
    feeds.close()


def test_changes_wake_who_waits(store: JobStore, settings: Settings, redis_url: str) -> None:
    changes = Changes(redis_url)
    feeds = Feeds(store, changes)
    telling = JobStore(settings.resolved_database_url, (Followers(changes),), changes.publish)
    took = []
    with feeds.follow("me") as follower:
        next_move(follower)
        for _ in range(3):
            job_id = queued(store, "me")
            next_move(follower)
            time.sleep(0.3)  # into the pause between two looks
            start = time.monotonic()
            telling.cancel(job_id, "test")
            next_move(follower)
            took.append(time.monotonic() - start)
    for each in (feeds, telling, changes):
        each.close()
    assert min(took) < 0.5  # before the next look would have been


def test_a_closing_process_ends_the_wait(store: JobStore) -> None:
    feeds = Feeds(store, Changes("amqp://x"))
    with feeds.follow("me") as follower:
        next_move(follower)
        threading.Thread(target=feeds.close).start()
        with pytest.raises(LookupError):
            wait_for("the end", lambda: follower.wait(5))
    with feeds.follow("me") as late, pytest.raises(LookupError):
        late.wait(5)


def test_a_store_that_is_silent_is_asked_again(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    feeds, moved = Feeds(store, Changes("amqp://x")), store.feed.moved
    failures = iter([True, True, False])

    def silent(*arguments: object) -> object:
        from stemsvc.errors import StoreUnavailable

        if next(failures, False):
            raise StoreUnavailable("away")
        return moved(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store.feed, "moved", silent)
    with feeds.follow("me") as follower:
        assert next_move(follower).live == {}
    feeds.close()
