"""What a job will cost, from its model, its options and its length: whether it can be served, and for how long to wait.

A prediction is in seconds of the reference machine (two cores of an AMD EPYC), so that limits hold a wide margin: a
slower machine than that is common, one that is ten times slower is not what a pool is made of.
"""

from __future__ import annotations

from dataclasses import dataclass

from stemsvc.errors import TooMuchWork, TrackTooLong
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.models.catalog import ModelEntry

LEAST_LIMIT_SECONDS = 300.0  # what loading and converting a network may take, however short the track


@dataclass(frozen=True)
class Limits:
    """What a job may be: seconds of its track, seconds of computing, and how much slower than predicted it may get."""

    track_seconds: float
    work_seconds: float
    slack: float

    def check(self, entry: ModelEntry, options: SeparationOptions, track_seconds: float) -> None:
        """Raise `UsageError` `track_too_long` or `too_much_work` for a job that can't end well."""
        if track_seconds > self.track_seconds:
            detail = f"the track plays {track_seconds:.0f} s; at most {self.track_seconds:.0f} s are taken"
            raise TrackTooLong(detail)
        predicted = predict_seconds(entry, options, track_seconds)
        if predicted > self.work_seconds:
            detail = (
                f"{entry.name} with these options would compute for about {predicted:.0f} s; at most "
                f"{self.work_seconds:.0f} s are given: send a shorter track, or ask for less overlap or fewer shifts"
            )
            raise TooMuchWork(detail)

    def time_limit(self, entry: ModelEntry, options: SeparationOptions, track_seconds: float) -> float:
        """Seconds after which an attempt that computes has gone wrong."""
        likely = self.slack * predict_seconds(entry, options, track_seconds)
        return min(max(LEAST_LIMIT_SECONDS, likely), self.work_seconds)


def predict_seconds(entry: ModelEntry, options: SeparationOptions, track_seconds: float) -> float:
    """How long the reference machine computes for a track of that length, all stems."""
    segment = options.segment or entry.segment_seconds
    passes = max(1, options.shifts) / (1 - options.overlap)
    # a segment that is shorter than the network's own is padded to it
    return track_seconds * entry.cost * passes * max(1.0, entry.segment_seconds / segment)
