"""Sessions in SQL."""

from __future__ import annotations

import time

import pytest

from stemsvc.accounts.keys import DEFAULT_SCOPES, new_key
from stemsvc.accounts.sessions import new_session
from stemsvc.jobstore import JobStore, sessions


def test_a_session_is_found_until_it_is_ended_or_forgotten(store: JobStore) -> None:
    key, _ = new_key("k", frozenset(DEFAULT_SCOPES))
    made, token = new_session(key, "secret")
    kept = store.sessions.add(made, 60)

    assert kept.expires_at - kept.created_at == pytest.approx(60)
    assert store.sessions.find(kept.hash) == kept
    assert token not in vars(kept).values()
    assert store.sessions.find(token) is None
    over = store.sessions.add(new_session(key, "secret")[0], -1)
    assert not over.opens(key, time.time())
    assert store.sessions.forget() == 1
    store.sessions.end(kept.hash)
    assert store.sessions.find(kept.hash) is None


def test_a_key_keeps_its_newest_sessions(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_PER_KEY", 2)
    key, other = (new_key("k", frozenset(DEFAULT_SCOPES))[0] for _ in range(2))
    others = store.sessions.add(new_session(other, "secret")[0], 60)
    made = []
    for _ in range(3):
        made.append(store.sessions.add(new_session(key, "secret")[0], 60))
        time.sleep(0.01)  # SQLite's clock ticks in milliseconds

    assert [store.sessions.find(each.hash) is not None for each in made] == [False, True, True]
    assert store.sessions.find(others.hash) is not None
