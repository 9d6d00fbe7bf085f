"""What a mix takes and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from stemsvc.errors import StemsvcError
from stemsvc.kinds.mix import KIND
from stemsvc.models.catalog import load_catalog


@pytest.mark.parametrize(
    "asked",
    [
        {"gain_db": 200.0},
        {"gain_db": float("nan")},
        {"tracks": [{"gain_db": 200.0}, {}]},
        {"tracks": [{"pan": -1.01}, {}]},
        {"tracks": [{"start": -1.0}, {}]},
        {"tracks": [{"eq": {"mid": 25.0}}, {}]},
        {"tracks": [{"compressor": {"ratio": 0.5}}, {}]},
        {"tracks": [{"reverb": {"seconds": 100.0}}, {}]},
        {"tracks": [{"sidechain": {"from": "nobody"}}, {}]},
        {"tracks": [{"sidechain": {"from": "1"}}, {}]},
        {"tracks": [{"sidechain": {"from": "3"}}, {}]},
        {"tracks": [{"sidechain": {"from": "b"}}, {"name": "b"}, {"name": "b"}]},
        {"profile": "muddy"},
        {"pan_law": "-4.5"},
    ],
)
def test_what_no_mix_can_be_is_refused(asked: dict[str, Any]) -> None:
    params = KIND.read({"tracks": [{}, {}], **asked})
    with pytest.raises(StemsvcError) as caught:
        KIND.check(params, ["track"] * len(params.tracks), load_catalog())
    assert caught.value.code == "bad_options"


def test_params_survive_being_stored() -> None:
    tracks = [
        {"name": "a", "gain_db": -3.0, "eq": {"low": 2.0}, "sidechain": {"from": "b", "ratio": 8.0}},
        {"name": "b"},
    ]
    params = KIND.read({"tracks": tracks, "normalise": True, "of another release": 1})

    stored = KIND.stored(params)
    assert stored["tracks"][0]["sidechain"]["from"] == "b"
    assert KIND.read(stored) == params
    assert params.key(0) == 1


def test_a_mix_lasts_as_long_as_its_tracks_do() -> None:
    params = KIND.read({"tracks": [{}, {"start": 30.0}]})
    assert KIND.part(params, 100.0) == 130.0
    assert KIND.part(params, None) is None
    assert KIND.cost(params, 240.0, load_catalog()) < 240
