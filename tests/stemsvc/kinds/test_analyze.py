"""The params of an analysis."""

from __future__ import annotations

import pytest

from stemsvc.errors import BadOptions, UnknownModel
from stemsvc.jobs.part import Part
from stemsvc.kinds.analyze import KIND, AnalyzeParams
from stemsvc.kinds.separate import kind as separate
from stemsvc.kinds.separate.kind import SeparateParams
from stemsvc.models.catalog import load_catalog

CATALOG = load_catalog()


def test_params_come_back_from_a_row_and_unknown_keys_are_left_out() -> None:
    params = AnalyzeParams("always", "demo", "mixed", False, Part(1.0, 9.0))

    assert KIND.read({**KIND.stored(params), "later": 1}) == params
    assert KIND.read({}) == AnalyzeParams()


def test_a_separation_costs_what_its_model_costs() -> None:
    alone = KIND.cost(AnalyzeParams(), 240, CATALOG)

    assert 1 < alone < 12  # twenty times real time, at least
    assert KIND.cost(AnalyzeParams("always", "demo"), 240, CATALOG) == pytest.approx(
        alone + 240 * CATALOG.get("demo").cost * 4 / 3
    )


@pytest.mark.parametrize(
    ("params", "inputs"),
    [
        (AnalyzeParams(use_stems="sometimes"), ("source",)),
        (AnalyzeParams(click="loud"), ("source",)),
        (AnalyzeParams(use_stems="never"), ("source", "stem")),
        (AnalyzeParams(part=Part(2.0, 9.0)), ("source", "stem")),
        (AnalyzeParams(part=Part(9.0, 2.0)), ("source",)),
    ],
)
def test_what_can_t_be_done_is_refused(params: AnalyzeParams, inputs: tuple[str, ...]) -> None:
    with pytest.raises(BadOptions):
        KIND.check(params, inputs, CATALOG)


def test_a_model_must_exist() -> None:
    with pytest.raises(UnknownModel):
        KIND.check(AnalyzeParams("always", "nonesuch"), ("source",), CATALOG)


def test_an_analysis_beside_a_separation_is_as_old_as_an_analysis_alone() -> None:
    """A cached separation has the facts of its analysis: both are made again when the analysis changes."""
    asked, plain = SeparateParams(analyze=True), SeparateParams()

    assert KIND.version == separate.ANALYSIS_VERSION
    assert separate.KIND.heard(asked)["analyze"] == KIND.version
    assert "analyze" not in separate.KIND.heard(plain)
