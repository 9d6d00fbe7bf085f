"""Where beats and bars lie in a track: between seconds and beats, both ways. It needs only the standard library."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

STEADY_SECONDS = 0.025  # a beat that is nobody's mistake may lie so far from an even grid
USUAL_BPM = 120.0  # MIDI's own, where nothing is known
LEAST_PICKUP = 0.5  # of a beat: a shorter time before the first beat belongs to that beat


@dataclass(frozen=True)
class Change:
    """From `seconds` on, which is `beat` counted from the track's begin, a beat takes `beat_seconds`."""

    seconds: float
    beat: float
    beat_seconds: float

    @property
    def bpm(self) -> float:
        """Beats a minute."""
        return 60.0 / self.beat_seconds


@dataclass(frozen=True)
class TempoMap:
    """The track begins at beat 0. `pickup` beats come before the first whole bar; bars have `beats_per_bar` beats."""

    changes: tuple[Change, ...]
    pickup: int = 0
    beats_per_bar: int = 4

    @property
    def bpm(self) -> float:
        """The tempo that lasts: of the last change where the tempo is even, else the mean of all."""
        whole = self.changes[1:-1] if len(self.changes) > 2 else self.changes[-1:]
        return sum(change.bpm for change in whole) / len(whole)

    def beat_at(self, seconds: float) -> float:
        """The beat at a time, from 0 on; the last tempo goes on for ever."""
        at = max(0, bisect_right(self.changes, seconds, key=lambda change: change.seconds) - 1)
        change = self.changes[at]
        return change.beat + (seconds - change.seconds) / change.beat_seconds

    def seconds_at(self, beat: float) -> float:
        """The time of a beat."""
        at = max(0, bisect_right(self.changes, beat, key=lambda change: change.beat) - 1)
        change = self.changes[at]
        return change.seconds + (beat - change.beat) * change.beat_seconds

    @property
    def metres(self) -> list[tuple[int, int]]:
        """The beats at which a metre begins, and the beats of its bars."""
        whole = (self.pickup, self.beats_per_bar)
        return [(0, self.pickup), whole] if self.pickup else [whole]

    def split(self, beat: int) -> TempoMap:
        """The same map, with a change at that beat even if the tempo stays."""
        if any(change.beat == beat for change in self.changes):
            return self
        last = next(change for change in reversed(self.changes) if change.beat < beat)
        changes = sorted((*self.changes, Change(self.seconds_at(beat), beat, last.beat_seconds)), key=lambda c: c.beat)
        return TempoMap(tuple(changes), self.pickup, self.beats_per_bar)

    def bars(self, seconds: float) -> list[float]:
        """The times at which whole bars begin, before `seconds`."""
        found, beat = [], float(self.pickup)
        while (at := self.seconds_at(beat)) < seconds:
            found.append(at)
            beat += self.beats_per_bar
        return found


def steady(bpm: float = USUAL_BPM, beats_per_bar: int = 4) -> TempoMap:
    """One tempo; the first bar begins with the track."""
    return TempoMap((Change(0.0, 0.0, 60.0 / bpm),), 0, beats_per_bar)


def from_beats(beats: Sequence[float], downbeats: Sequence[float], beats_per_bar: int = 4) -> TempoMap:
    """The map of a track's `beats`, in seconds and in order; `downbeats` are those that begin a bar.

    One even tempo where the beats lie on an even grid to `STEADY_SECONDS`, else one change for each beat. The time
    before the first beat is filled with whole beats, so that the bars of a program that counts from 0 are the track's.
    """
    if len(beats) < 2:
        return steady(beats_per_bar=beats_per_bar)
    first, period, even = _even(beats)
    times = [first + k * period for k in range(len(beats))] if even else [float(beat) for beat in beats]
    while len(times) > 2 and times[0] < 0:
        times.pop(0)
    step = times[1] - times[0]
    ahead = round(times[0] / step) if times[0] >= LEAST_PICKUP * step else 0
    changes = [Change(0.0, 0.0, times[0] / ahead)] if ahead else []
    if not ahead:  # the first beat begins with the track
        times[0] = 0.0
    last = times[1] - times[0]
    for at, (start, end) in enumerate(itertools.pairwise(times)):
        last = end - start
        if not changes or not even or at <= (0 if ahead else 1):
            changes.append(Change(start, float(ahead + at), last))
    bar = downbeats[0] if downbeats else times[0]
    nearest = min(range(len(times)), key=lambda at: abs(times[at] - bar))
    return TempoMap(tuple(changes), (ahead + nearest) % beats_per_bar, beats_per_bar)


def _even(beats: Sequence[float]) -> tuple[float, float, bool]:
    """The line of least squares through the beats: its first beat, its step, and whether they lie on it."""
    count = len(beats)
    middle, mean = (count - 1) / 2, sum(beats) / count
    spread = sum((at - middle) ** 2 for at in range(count))
    period = sum((at - middle) * (beat - mean) for at, beat in enumerate(beats)) / spread
    first = mean - middle * period
    off = max(abs(first + at * period - beat) for at, beat in enumerate(beats))
    return first, period, period > 0 and off <= STEADY_SECONDS
