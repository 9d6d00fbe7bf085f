"""What a separation fills in where its client left something open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stemsvc.kinds.separate.kind import KIND, SeparateParams
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.models.catalog import load_catalog

CATALOG = load_catalog()


def checked(params: SeparateParams) -> SeparateParams:
    return KIND.check(params, ("source",), CATALOG)


def test_a_job_that_names_no_model_gets_the_best_and_may_fall_back() -> None:
    params = checked(SeparateParams(stems=("vocals",)))

    assert (params.model, params.fallback) == ("htdemucs", "demo")
    assert KIND.fallback(KIND.read(KIND.stored(params)), CATALOG) == replace(params, model="demo", fallback="")


@pytest.mark.parametrize("model", ["demo", "htdemucs", "htdemucs_6s"])
def test_a_job_that_names_its_model_gets_that(model: str) -> None:
    params = checked(SeparateParams(model))

    assert KIND.fallback(params, CATALOG) is None
    assert "fallback" not in KIND.stored(params)


def test_a_pinned_default_has_no_fallback() -> None:
    params = KIND.check(SeparateParams(), ("source",), load_catalog(default="hdemucs_mmi"))

    assert (params.model, params.fallback) == ("hdemucs_mmi", "")


def test_a_copy_of_a_job_may_fall_back_like_the_job() -> None:
    params = checked(SeparateParams())

    assert checked(KIND.read(KIND.stored(params))) == params


def test_a_segment_that_the_other_model_can_not_run_is_that_model_s_own() -> None:
    params = checked(SeparateParams(separation=SeparationOptions(segment=7.0, overlap=0.1)))
    instead = KIND.fallback(params, CATALOG)

    assert instead is not None
    assert instead.separation == SeparationOptions(overlap=0.1)


def test_what_is_heard_does_not_depend_on_what_might_have_been_taken() -> None:
    params = checked(SeparateParams())

    assert KIND.heard(params) == KIND.heard(replace(params, fallback=""))
