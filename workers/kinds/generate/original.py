"""Reads the piece that a variation is made of: the score of an earlier job."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from stemsvc.errors import BadInputs
from stemsvc.kinds.generate.params import CHANGES, ORIGINAL, SECTIONS
from workers.kinds.base import LocalInput

SCHEMA = "https://stemsvc.dev/score/1"
MOST_BYTES = 1 << 20


def read_original(inputs: Sequence[LocalInput]) -> dict[str, Any] | None:
    """The facts of the original's brief; None where there is none. Raises `UsageError` `bad_inputs`.

    What comes from outside is checked here; `settle` checks the values that it takes of it.
    """
    found = next((each for each in inputs if each.role == ORIGINAL), None)
    if found is None:
        return None
    try:
        with found.path.open("rb") as file:
            told = json.loads(file.read(MOST_BYTES))
        brief = dict(told["brief"])
        if told["schema"] != SCHEMA:
            raise ValueError("another schema")
        return {
            "genre": str(brief["genre"]),
            "bpm": float(brief["bpm"]),
            "key": str(brief["key"]),
            "mood": str(brief["mood"] or ""),
            "duration": float(brief["duration"]),
            "seed": _seed(brief["seed"]),
            "form": [{"section": str(each["section"])} for each in brief["form"] if each["section"] in SECTIONS],
            "changes": {part: _seed(own) for part, own in dict(brief["changes"]).items() if part in CHANGES},
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise BadInputs(f"{found.name} is not the score of a piece: give the output `score` of its job") from error


def score(brief: dict[str, Any]) -> str:
    """The text of a score, which `read_original` reads."""
    return json.dumps({"schema": SCHEMA, "brief": brief}, indent=2, ensure_ascii=False) + "\n"


def _seed(value: Any) -> int:
    seed = int(value)
    if seed < 0:
        raise ValueError("a seed is not negative")
    return seed
