"""How to separate a track: what a job may ask of the engine, and the limits. It needs only the standard library."""

from __future__ import annotations

from dataclasses import dataclass

from stemsvc.errors import BadOptions

MAX_OVERLAP = 0.9  # ten times the work of no overlap; upstream sets no limit
MAX_SHIFTS = 20  # upstream's paper goes to 10
MAX_SEED = 2**32 - 1
MIN_SEGMENT_SECONDS = 1.0
CHANNELS = ("stereo", "source")  # of the files; the default first
PRECISIONS = ("auto", "fp32", "mixed", "fast")


@dataclass(frozen=True)
class SeparationOptions:
    """The engine's options, under upstream's names. The defaults are upstream's, except for its one random shift.

    `overlap` is the share of a segment that the next one covers, None for the model's own: 0.25 for Demucs'. `shifts`
    is the number of passes that are averaged, each at a random offset drawn from `seed`; 0 is one pass without an
    offset. `segment` is in seconds, None for the model's own.
    """

    overlap: float | None = None
    shifts: int = 0
    seed: int = 0
    segment: float | None = None
    precision: str = "auto"

    def check(self, longest: float) -> None:
        """Raise `UsageError` `bad_options` unless a model whose own segment is `longest` seconds can run these.

        Memory grows with the segment and the model was trained on its own, so longer ones are refused.
        """
        if self.overlap is not None and not 0 <= self.overlap <= MAX_OVERLAP:
            raise BadOptions(f"overlap is {self.overlap}; it may be from 0 to {MAX_OVERLAP}")
        if not 0 <= self.shifts <= MAX_SHIFTS:
            raise BadOptions(f"shifts is {self.shifts}; it may be from 0 to {MAX_SHIFTS}")
        if not 0 <= self.seed <= MAX_SEED:
            raise BadOptions(f"seed is {self.seed}; it may be from 0 to {MAX_SEED}")
        if self.segment is not None and not MIN_SEGMENT_SECONDS <= self.segment <= longest:
            allowed = f"from {MIN_SEGMENT_SECONDS:g} to {longest:g} s"
            raise BadOptions(f"segment is {self.segment} s; with this model it may be {allowed}")
        if self.precision not in PRECISIONS:
            raise BadOptions(f"precision {self.precision!r} is not one of {', '.join(PRECISIONS)}")
