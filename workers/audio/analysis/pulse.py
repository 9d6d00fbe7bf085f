"""Beats along an onset curve: the path of dynamic programming, and the regular grid that it may lie on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.audio.analysis.tempo import Curve

TIGHTNESS = 60.0  # how much an uneven beat costs, in onset strengths for each squared octave (natural logarithm)
ON_GRID = 0.12  # of a period: a beat as near as this lies on the grid
EARLY = 0.03  # seconds before the track's start at which its first beat may lie
STEADY = 0.7  # of the beats must lie on the grid of a steady track

TICKS = 2048  # steps of a loop in Python between two ticks: some hundredths of a second

Times = NDArray[np.float64]
Tick = Callable[[], None]


def quiet() -> None:
    """Report nothing."""


def path(curve: Curve, period: NDArray[np.float64], on_tick: Tick = quiet) -> NDArray[np.int64]:
    """Frames of the beats: strong in `curve`, and about `period` frames apart, which may differ for each frame.

    Ellis, "Beat tracking by dynamic programming" (2007), a block of half a period at a time: no frame of it is the
    predecessor of another one. `on_tick` is called for each block.
    """
    count, shortest = len(curve), max(2, int(period.min() / 2))
    longest = int(period.max() * 2) + 1
    score = np.concatenate([np.zeros(longest), np.asarray(curve, np.float64)])
    before = np.full(count, -1, np.int64)
    lags = np.arange(longest, shortest - 1, -1)
    for start in range(0, count, shortest):
        on_tick()
        stop = min(count, start + shortest)
        cost = TIGHTNESS * np.log(lags / period[start]) ** 2
        reached = np.lib.stride_tricks.sliding_window_view(score[start : stop + longest - shortest], len(lags)) - cost
        best = reached.argmax(axis=1)
        at = np.arange(start, stop)
        gain = reached[at - start, best]
        linked = gain > 0
        score[longest + start : longest + stop] += np.where(linked, gain, 0)
        before[start:stop] = np.where(linked, at - lags[best], -1)
    return _followed(score[longest:], before, float(period[-1]))


def _followed(score: NDArray[np.float64], before: NDArray[np.int64], period: float) -> NDArray[np.int64]:
    last = max(0, len(score) - int(period) - 1)
    at = last + int(score[last:].argmax())
    found = []
    while at >= 0:
        found.append(at)
        at = int(before[at])
    return np.array(found[::-1], np.int64)


@dataclass(frozen=True)
class Grid:
    """Beats at `first` + n * `period`, in seconds. `share` of the beats that it was made from lie on it."""

    first: float
    period: float
    share: float

    def times(self, seconds: float) -> Times:
        """All its beats within a track of `seconds`."""
        start = self.first - np.floor((self.first + EARLY) / self.period) * self.period
        return np.maximum(0, np.arange(start, seconds, self.period))


def fit(times: Times, period: float) -> Grid:
    """The regular grid through most of the beats `times`, by least squares without those that lie off it."""
    if len(times) < 3:
        return Grid(float(times[0]) if len(times) else 0.0, period, 0.0)
    number = np.concatenate([[0], np.cumsum(np.maximum(1, np.round(np.diff(times) / period)))])
    middle = len(times) // 2
    first, near = times[middle] - number[middle] * period, np.ones(len(times), bool)
    reach = max(4.0, len(times) / 8)
    while True:  # from the middle outwards, so that a small error of the period counts no beat twice
        inside = np.abs(number - number[middle]) <= reach
        for _ in range(3):
            count = np.round((times - first) / period)
            near = inside & (np.abs(times - first - count * period) < ON_GRID * period)
            if near.sum() < 3:
                break
            period, first = np.polyfit(count[near], times[near], 1)
        if inside.all():
            break
        reach *= 2
    return Grid(float(first), float(period), float(near.mean()))
