"""What messages cost, by key and month, in SQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from stemsvc.jobstore import JobStore, chat_spending
from stemsvc.jobstore.chat_spending import Spent


def test_spending_adds_up_for_each_owner(store: JobStore) -> None:
    assert store.chat_spending.this_month("me") == Spent()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: store.chat_spending.add("me", Spent(0.25, 10, 1)), range(8)))
    store.chat_spending.add("you", Spent(0.0, 3, 3))
    assert store.chat_spending.this_month("me") == Spent(2.0, 80, 8)
    assert store.chat_spending.this_month("you") == Spent(0.0, 3, 3)


def test_each_month_begins_anew_and_old_ones_are_forgotten(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    month: Any = chat_spending._name
    monkeypatch.setattr(chat_spending, "_name", lambda moment: month(moment - 40 * 86400))
    store.chat_spending.add("me", Spent(1.0, 1, 1))
    monkeypatch.undo()
    assert store.chat_spending.this_month("me") == Spent()
    assert store.chat_spending.forget(400 * 86400) == 0
    assert store.chat_spending.forget(0) == 1
