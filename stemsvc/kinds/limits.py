"""How much a job may compute: which jobs are refused, and how long an attempt may take.

A prediction is in seconds of the reference machine (two cores of an AMD EPYC). Limits keep a wide margin to it, because
slower machines are common; a machine that is ten times slower does not belong in a pool.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from stemsvc.errors import TooMuchWork, TrackTooLong

LEAST_LIMIT_SECONDS = 300.0  # what loading and converting a network may take, however short the track
TYPICAL_TRACK_SECONDS = 240.0  # the assumed length of a track whose length is not known yet


@dataclass(frozen=True)
class Limits:
    """The most seconds of a track, the most seconds of computing, how many times slower than predicted a job may be."""

    track_seconds: float
    work_seconds: float
    slack: float

    def within(self, seconds: float | None) -> Limits:
        """The limits where nothing may compute for longer than `seconds`; None: the same limits."""
        return self if seconds is None else replace(self, work_seconds=min(self.work_seconds, seconds))

    def check(self, what: str, advice: str, predicted: float, track_seconds: float) -> None:
        """Raise `UsageError` `track_too_long` or `too_much_work` for a job that exceeds the limits.

        `what` names the work, `advice` says what its client can do about it, `predicted` is its cost in seconds.
        """
        if track_seconds > self.track_seconds:
            detail = f"the track plays for {track_seconds:.0f} s; at most {self.track_seconds:.0f} s are taken"
            raise TrackTooLong(detail)
        if predicted > self.work_seconds:
            detail = (
                f"{what} with these options would compute for about {predicted:.0f} s; at most "
                f"{self.work_seconds:.0f} s are allowed: {advice}"
            )
            raise TooMuchWork(detail)

    def time_limit(self, predicted: float) -> float:
        """The most seconds that an attempt may compute: beyond them something has gone wrong."""
        return min(max(LEAST_LIMIT_SECONDS, self.slack * predicted), self.work_seconds)
