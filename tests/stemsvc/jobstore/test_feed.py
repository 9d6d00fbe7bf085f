"""Timelines across jobs, read from place to place."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from stemsvc.jobs.record import JobState, input_key, new_job_id
from stemsvc.jobstore import JobStore, feed
from stemsvc.jobstore.feed import Entry, Place
from stemsvc.jobstore.tables import events
from tests.specs import job_of, spec_of

START = Place(0)


def queued(store: JobStore, owner: str = "") -> str:
    job_id = new_job_id()
    key, pool = input_key(job_id), "separate.demo.cpu"
    store.intake.put(job_of(job_id, JobState.QUEUED, spec_of("demo"), pool, key, "song.mp3", owner=owner), "accepted")
    return job_id


def moves(entries: list[Entry]) -> list[tuple[str, str]]:
    return [(entry.job.id, entry.event.to_state) for entry in entries]


def test_each_entry_is_read_once_and_in_order(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MOST_READ", 2)
    mine, theirs = queued(store, "me"), queued(store, "them")
    store.cancel(mine, "test")

    place = START
    read: list[Entry] = []
    while entries := store.feed.after(place, ["me"]):
        read, place = [*read, *entries], entries[-1].place
    assert moves(read) == [(mine, "queued"), (mine, "canceled")]
    assert read[0].job.state is JobState.CANCELED  # as it is now
    everyone = store.feed.after(START, None)
    assert moves(everyone) == [(mine, "queued"), (theirs, "queued")]
    assert store.feed.after(START, ["nobody"]) == []

    written = Place.parse(str(place))
    assert store.feed.after(written, ["me"]) == []
    other = queued(store, "me")
    assert moves(store.feed.after(written, ["me"])) == [(other, "queued")]


def test_an_entry_that_is_seen_late_is_read_and_what_was_read_is_not(store: JobStore) -> None:
    first, second = queued(store), queued(store)
    place = store.feed.after(START, None)[-1].place
    with store._engine.begin() as connection:
        at = connection.execute(sa.select(sa.func.min(events.c.at))).scalar_one() - 10
        connection.execute(events.insert().values(job_id=first, at=at, to_state="running", why="late"))

    for each in (place, Place.parse(str(place))):
        assert moves(store.feed.after(each, None)) == [(first, "running")]
    owners, after = store.feed.moved(place, None)
    assert (owners, store.feed.moved(after, None)[0]) == ({""}, set())
    assert second


def test_who_moved_is_told_by_owner(store: JobStore) -> None:
    _, place = store.feed.moved(store.feed.now(), None)
    mine, theirs = queued(store, "me"), queued(store, "them")

    assert store.feed.moved(place, None)[0] == {"me", "them"}
    assert store.feed.moved(place, {"me", "nobody"})[0] == {"me"}
    assert set(store.feed.live(None)) == {"me", "them"}
    assert list(store.feed.live({"them"})["them"]) == [theirs]
    store.cancel(mine, "test")
    assert "me" not in store.feed.live(None)


def test_ids_that_are_given_again_name_other_entries(store: JobStore) -> None:
    deleted = queued(store)
    place = store.feed.after(START, None)[-1].place
    store.delete(deleted)
    job_id = queued(store)

    assert moves(store.feed.after(place, None)) == [(job_id, "queued")]


def test_a_place_has_an_end() -> None:
    place = START
    for number in range(1, 1000):
        place = place.past([(number, 1_000_000 + number)])
    text = str(place)

    assert len(text) < 2000
    assert len(Place.parse(text).seen) == feed.MOST_WRITTEN
    assert {number for number, _ in Place.parse(text).seen} == set(range(900, 1000))
    later = place.past([(5000, 10_000_000)])
    assert later.seen == {(5000, 10_000_000)}


@pytest.mark.parametrize("text", ["", "x", "-1", "1-2", "1-2.3-", "1" * 16, "1-2.9999999", "1 ", "1\n", "٣"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no place"):
        Place.parse(text)
