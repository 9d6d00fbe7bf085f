"""A piece's spectrum is judged by what its genre has."""

from __future__ import annotations

from typing import Any

import pytest

from stemsvc.music.genres import Balance, genres
from tests.balances import measured
from workers.kinds.generate.balance import EDGES, FAR_DB, FLOOR_DB, NEAR_DB, balanced, regions

SEED = 11  # the templates' balances are not measured with it
FEW = ("ambient", "metal", "trap")  # of which `make test` has the time


def bands(levels: dict[float, float]) -> list[dict[str, Any]]:
    return [{"hz": hertz, "db": level} for hertz, level in levels.items()]


def test_levels_are_beside_the_whole_however_loud_it_is() -> None:
    quiet, loud = ({80.0: level, 100.0: level, 1000.0: level, 10_000.0: level - 20} for level in (-60.0, -10.0))

    found = regions(bands(quiet))
    assert found == pytest.approx(regions(bands(loud)))
    assert found == pytest.approx(
        {"bass": -1.78, "low": FLOOR_DB, "middle": -4.79, "high": FLOOR_DB, "air": -24.79}, abs=0.01
    )
    assert regions([]) is None
    assert regions([{"hz": 80.0, "db": None}]) is None


def test_each_region_counts_by_how_far_it_is_off() -> None:
    flat = bands({60.0: -20, 200.0: -20, 1000.0: -20, 4000.0: -20, 10_000.0: -20})
    level = regions(flat)
    assert level is not None
    for off, right in ((0, 1), (NEAR_DB - 0.1, 1), ((NEAR_DB + FAR_DB) / 2, 0.5), (FAR_DB + 1, 0)):
        for sign in (1, -1):
            expected = Balance(**{name: each + sign * off for name, each in level.items()})
            assert balanced(flat, expected) == pytest.approx(right, abs=0.01)
    one_off = Balance(**{**level, "air": level["air"] + 2 * FAR_DB})
    assert balanced(flat, one_off) == pytest.approx(1 - 1 / len(EDGES))
    assert balanced([], one_off) == 0


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[] if each in FEW else pytest.mark.long) for each in genres()]
)
def test_a_piece_has_the_balance_of_its_genre(name: str) -> None:
    found = measured(name, SEED)
    own = bands(dict(zip((60.0, 200.0, 1000.0, 4000.0, 10_000.0), found, strict=True)))

    assert balanced(own, genres()[name].balance) > 0.9


def test_what_is_right_for_one_genre_is_not_for_another() -> None:
    dark = genres()["ambient"].balance
    own = bands(dict(zip((60.0, 200.0, 1000.0, 4000.0, 10_000.0), dark.model_dump().values(), strict=True)))

    assert balanced(own, dark) == 1
    assert balanced(own, genres()["metal"].balance) < 0.8
