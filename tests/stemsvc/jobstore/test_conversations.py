"""Conversations in SQL."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from stemsvc.errors import BadCursor
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.conversations import Conversation, Message


def new(store: JobStore, id: str = "a", owner: str = "me", name: str = "") -> Conversation:
    return store.conversations.add(Conversation(id, owner, name))


def say(store: JobStore, of: Conversation, *texts: str, key: str | None = None) -> Conversation:
    new = [
        Message(of.id, of.messages + place, "user", "text", text, client_key=key if place == 1 else None)
        for place, text in enumerate(texts, 1)
    ]
    assert store.conversations.write(of, new)
    found = store.conversations.get(of.id)
    assert found is not None
    return found


def test_messages_are_paged_newest_first(store: JobStore) -> None:
    now = say(store, new(store), *map(str, range(1, 8)))
    assert (now.messages, now.revision) == (7, 1)
    seen, cursor = [], None
    while True:
        page = store.conversations.messages("a", 3, cursor)
        seen.append([each.text for each in page.messages])
        if (cursor := page.cursor) is None:
            break
    assert seen == [["7", "6", "5"], ["4", "3", "2"], ["1"]]
    for odd in ("x", "-1", "9" * 400, "١٢", ""):
        with pytest.raises(BadCursor):
            store.conversations.messages("a", 3, odd)


def test_two_writes_of_one_reading_are_one(store: JobStore) -> None:
    read = new(store)
    say(store, read, "first", key="k")
    assert not store.conversations.write(read, [Message("a", 1, "user", "text", "second")])
    now = store.conversations.get("a")
    assert now is not None
    assert not store.conversations.write(now, [Message("a", 2, "user", "text", "again", client_key="k")])
    assert store.conversations.get("a") == now  # the refused write has left nothing
    found = store.conversations.named("a", "k")
    assert found is not None
    assert (found.number, found.text) == (1, "first")
    assert [each.text for each in store.conversations.all_messages("a")] == ["first"]


def test_only_the_owners_conversations_are_listed_and_searched(store: JobStore) -> None:
    for id, owner, name, text in (
        ("a", "me", "Ärger", "a trap beat 100%"),
        ("b", "me", "", "Straße nach Süden"),
        ("c", "you", "Ärger", "a trap beat"),
    ):
        say(store, new(store, id, owner, name), text)
        time.sleep(0.01)  # SQLite's clock ticks in milliseconds

    def found(words: str) -> list[str]:
        return [each.id for each in store.conversations.page("me", words, 10, None).conversations]

    assert found("") == ["b", "a"]
    assert (found("TRAP 100%"), found("ärger"), found("süden strasse"), found("STRAßE"), found("*")) == (
        ["a"], ["a"], [], ["b"], [],
    )  # fmt: skip
    first = store.conversations.page("me", "", 1, None)
    second = store.conversations.page("me", "", 1, first.cursor)
    assert [each.id for each in (*first.conversations, *second.conversations)] == ["b", "a"]
    assert second.cursor is None


def test_changes_go_on_where_a_client_stopped(store: JobStore) -> None:
    now = say(store, new(store), "one", "two")
    first = store.conversations.changes("a", 0, 0)
    assert [(each.revision, each.number) for each in first] == [(1, 1), (1, 2)]
    assert [each.number for each in store.conversations.changes("a", 1, 1)] == [2]
    assert store.conversations.write(now, changed=[replace(first[0], body={"state": "done"}, workflow_id="w")])
    (changed,) = store.conversations.changes("a", 1, 2)
    assert (changed.number, changed.body, changed.workflow_id) == (1, {"state": "done"}, "w")


def test_a_conversation_is_erased_whole_by_its_owner_or_by_time(store: JobStore) -> None:
    say(store, new(store), "one")
    assert store.conversations.delete("a")
    assert not store.conversations.delete("a")
    assert store.conversations.all_messages("a") == []
    say(store, new(store, "b"), "one")
    assert store.conversations.forget(60) == 0
    assert store.conversations.forget(-60) == 1
    assert store.conversations.all_messages("b") == []


def test_what_no_database_holds_is_made_plain(store: JobStore) -> None:
    now = say(store, new(store), "a\0b\ud800")
    assert [each.text for each in store.conversations.all_messages("a")] == ["a\ufffdb\ufffd"]
    assert store.conversations.write(replace(now, state={"x": "a\0"}))
    found = store.conversations.get("a")
    assert found is not None
    assert found.state == {"x": "a\ufffd"}


def test_a_thousand_messages_page_in_no_time(store: JobStore) -> None:
    now = new(store)
    say(store, now, *(f"message {number} " + "la " * 50 for number in range(1000)))
    store.conversations.messages("a", 50, "500")
    times = []
    for cursor in (None, "900", "500", "60", "900", "500", "60"):
        began = time.perf_counter()
        assert len(store.conversations.messages("a", 50, cursor).messages) == 50
        times.append(time.perf_counter() - began)
    assert sorted(times)[len(times) // 2] < 0.05


def test_a_reply_grows_and_each_growth_is_a_change(store: JobStore) -> None:
    now = say(store, new(store), "a question", "")
    store.conversations.grow("a", 2, "It")
    store.conversations.grow("a", 2, "It is")
    found = store.conversations.get("a")
    assert found is not None
    assert (found.revision, found.messages) == (3, 2)
    assert [(each.number, each.text) for each in store.conversations.changes("a", 1, 2)] == [(2, "It is")]
    assert not store.conversations.write(now)  # what was read before is old
