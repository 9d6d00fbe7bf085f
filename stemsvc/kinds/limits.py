"""What a job may cost: whether it can be served, and for how long to wait for it.

A prediction is in seconds of the reference machine (two cores of an AMD EPYC), so that limits hold a wide margin: a
slower machine than that is common, one that is ten times slower is not what a pool is made of.
"""

from __future__ import annotations

from dataclasses import dataclass

from stemsvc.errors import TooMuchWork, TrackTooLong

LEAST_LIMIT_SECONDS = 300.0  # what loading and converting a network may take, however short the track
TYPICAL_TRACK_SECONDS = 240.0  # what a track whose length is not known yet is taken to play


@dataclass(frozen=True)
class Limits:
    """What a job may be: seconds of its track, seconds of computing, and how much slower than predicted it may get."""

    track_seconds: float
    work_seconds: float
    slack: float

    def check(self, what: str, advice: str, predicted: float, track_seconds: float) -> None:
        """Raise `UsageError` `track_too_long` or `too_much_work` for a job that can't end well.

        `what` is the work in words, `advice` what its client can do about it, `predicted` its cost in seconds.
        """
        if track_seconds > self.track_seconds:
            detail = f"the track plays {track_seconds:.0f} s; at most {self.track_seconds:.0f} s are taken"
            raise TrackTooLong(detail)
        if predicted > self.work_seconds:
            detail = (
                f"{what} with these options would compute for about {predicted:.0f} s; at most "
                f"{self.work_seconds:.0f} s are given: {advice}"
            )
            raise TooMuchWork(detail)

    def time_limit(self, predicted: float) -> float:
        """Seconds after which an attempt that computes has gone wrong."""
        return min(max(LEAST_LIMIT_SECONDS, self.slack * predicted), self.work_seconds)
