"""Graphs that clients send: what is read of them, and what each wrong one is told."""

from __future__ import annotations

from typing import Any

import pytest

from stemsvc.errors import BadWorkflow
from stemsvc.workflows.graph import Ref, read_steps

SPLIT = {"id": "split", "do": "separate", "with": {"stems": ["vocals", "drums"]}}
MIX = {"id": "sum", "do": "mix"}
MINUS = {"id": "minus", "do": "mix", "for_each": "split", "with": {"tracks": [{"source": "others", "gain_db": -3}]}}
AGAIN = {"id": "again", "do": "separate", "inputs": {"source": "split.vocals"}}


def test_a_step_takes_the_source_unless_it_says_otherwise() -> None:
    steps = read_steps([AGAIN, SPLIT])
    assert [step.id for step in steps] == ["split", "again"]  # in an order in which they can be done
    assert steps[0].inputs == {"source": (Ref(None),)}
    assert steps[1].inputs == {"source": (Ref("split", "vocals"),)}


def test_entries_of_params_name_their_sources() -> None:
    split, minus = read_steps([SPLIT, MINUS])
    assert (minus.over, minus.params) == ("split", {"tracks": [{"gain_db": -3}]})
    assert minus.inputs == {"track": (Ref("split", pick="others"),)}
    assert minus.needs == {split.id}


def test_a_step_that_is_left_out_makes_no_job() -> None:
    assert [step.id for step in read_steps([SPLIT, {**SPLIT, "id": "other", "when": False}])] == ["split"]


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (None, "steps: name at least one step"),
        ([], "steps: name at least one step"),
        ([SPLIT] * 101, "steps: 101 are more than 100"),
        (["split"], "steps[0]: it must be an object"),
        ([{**SPLIT, "needs": []}], "steps[0].needs: a step has id, do, with,"),
        ([{**SPLIT, "id": 7}], "steps[0].id: it must be letters"),
        ([{**SPLIT, "id": "source"}], "steps[0].id: it must be letters"),
        ([{**SPLIT, "do": "cook"}], "steps[0].do: kind 'cook' is not one of"),
        ([{"id": "a"}], "steps[0].do: kind 'None' is not one of"),
        ([{**SPLIT, "with": []}], "steps[0].with: it must be an object"),
        ([{**SPLIT, "when": "yes"}], "steps[0].when: it must be true or false"),
        ([{**SPLIT, "for_each": ["a"]}], "steps[0].for_each: it must be 'sources' or a step's id"),
        ([{**SPLIT, "for_each": "each"}], "steps[0].for_each: it must be 'sources' or a step's id"),
        ([{**SPLIT, "for_each": "stems"}], "steps[0].for_each: 'stems' is not one of split"),
        ([SPLIT, MINUS, {**MINUS, "id": "b", "for_each": "minus"}], "steps[2].for_each: 'minus' is done for each"),
        ([{**SPLIT, "when": False}, MINUS], "steps[1].for_each: the step 'split' is left out by its `when`"),
        ([{**SPLIT, "for_each": "split"}], "is a circle"),
        ([{**MIX, "with": {"tracks": "split"}}], "steps[0].with.tracks: it must be a list"),
        ([{**MIX, "with": {"tracks": ["split"]}}], "steps[0].with.tracks[0]: it must be an object"),
        ([{**MIX, "with": {"tracks": [{}]}}], "steps[0].with.tracks[0].source: it must be 'source', a step's id"),
        ([{**MIX, "with": {"tracks": [{"source": {"url": "http://a/b"}}]}}], "steps[0].with.tracks[0].source: it must"),
        ([{**MIX, "with": {"tracks": [{"source": "others"}]}}], "steps[0].with.tracks[0].source: only a step with"),
        ([SPLIT, {**MINUS, "inputs": {"track": "split"}}], "steps[1].inputs.track: the sources of `with.tracks` are"),
        ([{**SPLIT, "inputs": {"source": "sources"}}], "steps[0].inputs.source: it must be 'source'"),
        ([{**SPLIT, "on_failure": "ignore"}], "steps[0].on_failure: it must be"),
        ([SPLIT, SPLIT], "steps[1].id: 'split' is the id of an earlier step"),
        ([{**SPLIT, "inputs": ["source"]}], "steps[0].inputs: it must be an object of roles"),
        ([{**SPLIT, "inputs": {"song": "source"}}], "steps[0].inputs.song: separate has the roles source"),
        ([{**SPLIT, "inputs": {"source": 5}}], "steps[0].inputs.source: it must be 'source', a step's id"),
        ([{**SPLIT, "inputs": {"source": "source.vocals"}}], "steps[0].inputs.source: a source has no outputs"),
        (
            [SPLIT, {**AGAIN, "inputs": {"source": "spilt.vocals"}}],
            "steps[1].inputs.source: 'spilt' is not one of split",
        ),
        ([{**SPLIT, "when": False}, AGAIN], "steps[1].inputs.source: the step 'split' is left out"),
        ([{**SPLIT, "inputs": {"source": "again"}}, AGAIN], "is a circle"),
        ([{**SPLIT, "inputs": {"source": "split.vocals"}}], "is a circle"),
    ],
)
def test_a_wrong_graph_is_told_where_it_is_wrong(steps: Any, words: str) -> None:
    with pytest.raises(BadWorkflow) as caught:
        read_steps(steps)
    assert words in caught.value.detail
