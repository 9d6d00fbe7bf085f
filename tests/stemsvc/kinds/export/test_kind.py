"""The params of an export."""

from __future__ import annotations

import math

import pytest

from stemsvc.errors import BadOptions
from stemsvc.kinds.export.kind import KIND, ExportParams
from stemsvc.models.catalog import load_catalog

CATALOG = load_catalog()


def test_params_survive_the_row_and_unknown_keys() -> None:
    params = ExportParams(("reaper", "zip"), "Söng", ("a", "b"), ("#009E73", "#d55e00"), 97.5, "aac", 8)
    assert KIND.read({**KIND.stored(params), "later": 1}) == params
    assert KIND.read({}) == ExportParams()


@pytest.mark.parametrize(
    "wrong",
    [
        {"targets": ["logic"]},
        {"targets": []},
        {"names": ["one"]},
        {"colours": ["red", "blue"]},
        {"colours": ["#00000g", "#000000"]},
        {"title": "two\nlines"},
        {"names": ["a\0", "b"]},
        {"names": ["\u202eb", "b"]},
        {"bpm": math.nan},
        {"codec": "mp3"},
        {"bars": 0},
    ],
)
def test_what_cannot_be_done_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadOptions):
        KIND.check(KIND.read(wrong), ["source", "source", "mixture"], CATALOG)
