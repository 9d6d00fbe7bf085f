"""What counts as growth, and what is noise."""

from __future__ import annotations

import math
import random

import pytest

from tests.soak.growth import growth

HOURS = [minute / 60 for minute in range(5, 30)]


def noise(size: float, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [rng.uniform(-size, size) for _ in HOURS]


def test_a_line_is_found_with_its_pace() -> None:
    found = growth(HOURS, [100 + 30 * hour for hour in HOURS], floor=4)

    assert found.per_hour == pytest.approx(30)
    assert found.start == pytest.approx(102.5)
    assert found.end == pytest.approx(114.5)
    assert found.doubles


@pytest.mark.parametrize("seed", range(20))
def test_noise_does_not_double(seed: int) -> None:
    assert not growth(HOURS, [100 + step for step in noise(3, seed)], floor=4).doubles


@pytest.mark.parametrize("seed", range(20))
def test_a_leak_under_noise_doubles(seed: int) -> None:
    leak = [100 + 40 * hour + step for hour, step in zip(HOURS, noise(3, seed), strict=True)]

    assert growth(HOURS, leak, floor=4).doubles


def test_growth_below_the_floor_is_no_growth() -> None:
    assert not growth(HOURS, [10 + 5 * hour for hour in HOURS], floor=4).doubles


def test_a_large_figure_that_grows_slowly_does_not_double_in_a_week() -> None:
    assert not growth(HOURS, [10_000 + 20 * hour for hour in HOURS], floor=4).doubles
    assert growth(HOURS, [10_000 + 70 * hour for hour in HOURS], floor=4).doubles


def test_what_comes_to_rest_does_not_double() -> None:
    assert not growth(HOURS, [100 + 50 * (1 - math.exp(-20 * (hour - HOURS[0]))) for hour in HOURS], floor=4).doubles


def test_what_starts_at_nothing_has_the_floor_as_its_start() -> None:
    assert growth(HOURS, [0.0 + 20 * (hour - HOURS[0]) for hour in HOURS], floor=4).doubles
    assert not growth(HOURS, [0.0 for _ in HOURS], floor=4).doubles
