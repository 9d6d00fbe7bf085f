"""Whether a figure that was sampled for a while would double in a week if it went on so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

WEEK = 7 * 24.0  # hours
BLOCKS = 8  # neighbouring samples are alike, so what is fitted are the means of so many blocks of them
SURE = 2.45  # standard errors: 95 % of Student's t with the 6 degrees of freedom that 8 blocks leave (table, two-sided)
SETTLED = 0.5  # a figure whose second half grows by less than this share of the whole's pace comes to rest


@dataclass(frozen=True)
class Growth:
    """A figure at the start and the end of the fitted line, and its growth per hour with the standard error."""

    start: float
    end: float
    per_hour: float
    error: float
    doubles: bool


def growth(hours: Sequence[float], values: Sequence[float], floor: float) -> Growth:
    """Fit a line to samples at these hours. At least three are needed.

    The figure doubles where even the least growth that the scatter allows would double it in a week (`floor` stands in
    for a start below it), where it has grown by `floor` at least, and where it did not come to rest meanwhile.
    """
    xs, ys = _blocks(hours), _blocks(values)
    slope, start, error = _line(xs, ys)
    first, last = start + slope * hours[0], start + slope * hours[-1]
    half = len(hours) // 2
    later, _, _ = _line(_blocks(hours[half:]), _blocks(values[half:]))
    sure = slope - SURE * error
    doubles = sure > 0 and sure * WEEK >= max(first, floor) and last - first >= floor and later >= SETTLED * slope
    return Growth(first, last, slope, error, doubles)


def _blocks(values: Sequence[float]) -> list[float]:
    count = min(BLOCKS, len(values))
    edges = [round(number * len(values) / count) for number in range(count + 1)]
    return [fmean(values[first:end]) for first, end in pairwise(edges)]


def _line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float, float]:
    """Slope, value at 0 and the slope's standard error, by least squares."""
    middle, mean = fmean(xs), fmean(ys)
    spread = sum((x - middle) ** 2 for x in xs)
    slope = sum((x - middle) * (y - mean) for x, y in zip(xs, ys, strict=True)) / spread
    rest = sum((y - mean - slope * (x - middle)) ** 2 for x, y in zip(xs, ys, strict=True))
    error = math.sqrt(rest / max(1, len(xs) - 2) / spread)
    return slope, mean - slope * middle, error
