"""The table of messages: what each wants, and what it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from stemsvc.assistants.chat.entities import find_entities
from stemsvc.assistants.chat.intents import Intent, find_intent

FOLDER = Path(__file__).parent
BAR = 0.95
FILES = ("messages.txt", "held_out.txt", "unseen.txt")
# What a message may name besides: a mood in the word `laid-back`, which is a tempo too.
BESIDES = {
    "tempo",
    "mood",
    "seconds",
    "sections",
    "stems",
    "pan",
    "count",
    "targets",
    "version",
    "genre",
    "tone",
    "formats",
}


def rows(name: str) -> list[tuple[str, dict[str, str], str]]:
    found = []
    for line in (FOLDER / name).read_text().splitlines():
        if line.startswith("#"):
            continue
        intent, named, message = (part.strip() for part in line.split("|", 2))
        found.append((intent, dict(each.split("=") for each in named.split()), message))
    return found


def told(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value).replace(" ", "_")


@pytest.mark.parametrize("name", FILES)
def test_what_messages_want_is_understood(name: str) -> None:
    table = rows(name)
    wrong = [
        (message, intent, found)
        for intent, _, message in table
        if (found := find_intent(message, find_entities(message))) != intent
    ]
    assert len(wrong) <= (1 - BAR) * len(table), wrong


@pytest.mark.parametrize("name", FILES)
def test_what_messages_name_is_found(name: str) -> None:
    wanted, missed = 0, []
    for _, named, message in rows(name):
        found = {each: told(value) for each, value in find_entities(message).named.items()}
        wanted += len(named)
        missed += [(message, each, found.get(each)) for each, value in named.items() if found.get(each) != value]
        odd = set(found) - set(named) - BESIDES
        missed += [(message, each, found[each]) for each in odd]
    assert len(missed) <= (1 - BAR) * wanted, missed


def test_the_table_is_long_and_has_every_intent() -> None:
    table = [row for name in FILES for row in rows(name)]

    assert len(table) >= 300
    assert len({message for *_, message in table}) == len(table)
    assert {intent for intent, *_ in table} == set(Intent)
    assert len(Intent) >= 35
