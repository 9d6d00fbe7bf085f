"""The params of a transcription."""

from __future__ import annotations

import math

import pytest

from stemsvc.errors import BadOptions
from stemsvc.kinds.transcribe.kind import KIND, MOST_INPUTS, TranscribeParams
from stemsvc.models.catalog import load_catalog

CATALOG = load_catalog()


def test_params_survive_the_row_and_unknown_keys() -> None:
    params = TranscribeParams(("drums", "bass"), "1/16", 0.5, 97.5, "F# minor", 0.75)
    assert KIND.read({**KIND.stored(params), "later": 1}) == params
    assert KIND.read({}) == TranscribeParams()


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantise": "1/7"},
        {"strength": 1.1},
        {"strength": math.nan},
        {"sensitivity": -0.1},
        {"bpm": math.inf},
        {"bpm": 0.0},
        {"key": "H major"},
        {"stems": ("kazoo",)},
        {"stems": ("drums", "bass")},
    ],
)
def test_what_cannot_be_done_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadOptions):
        KIND.check(KIND.read(wrong), ["source"], CATALOG)


def test_the_cache_takes_no_notice_of_a_strength_that_does_nothing() -> None:
    assert KIND.heard(TranscribeParams(strength=0.2)) == KIND.heard(TranscribeParams())
    assert KIND.heard(TranscribeParams(quantise="1/8", strength=0.2)) != KIND.heard(TranscribeParams(quantise="1/8"))


def test_midi_has_a_channel_for_each_input() -> None:
    assert KIND.roles[0].most == MOST_INPUTS <= 16
