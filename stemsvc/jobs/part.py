"""Which sound of a file a job works on: one of its audio tracks, from one moment to another."""

from __future__ import annotations

from dataclasses import dataclass

from stemsvc.errors import BadOptions

MAX_SECONDS = 1_000_000.0  # more than eleven days
MAX_AUDIO_TRACK = 99


@dataclass(frozen=True)
class Part:
    """A part of a track. The default is the whole of the file's default track.

    `start` and `end` are in seconds of the track as a player plays it; `end` None is the track's end. `audio_track`
    counts the file's audio tracks from 0, as FFmpeg's `0:a:0` does; None is the one that the file names as its default,
    else its first. With `trim_start` the silence before a track that starts late in its file is left out, and `start`
    counts from the track's first sample.
    """

    start: float = 0.0
    end: float | None = None
    audio_track: int | None = None
    trim_start: bool = False

    def check(self) -> None:
        """Raise `UsageError` `bad_options` for times and numbers that no track has."""
        if not 0 <= self.start <= MAX_SECONDS:
            raise BadOptions(f"start is {self.start}; it may be from 0 to {MAX_SECONDS:.0f} s")
        if self.end is not None and not self.start < self.end <= MAX_SECONDS:
            raise BadOptions(
                f"end is {self.end}; it must be after start, {self.start:g}, and at most {MAX_SECONDS:.0f}"
            )
        if self.audio_track is not None and not 0 <= self.audio_track <= MAX_AUDIO_TRACK:
            raise BadOptions(f"audio_track is {self.audio_track}; it may be from 0 to {MAX_AUDIO_TRACK}")

    def seconds(self, track: float | None) -> float | None:
        """How long it plays, of a track of so many seconds; None where that is not known."""
        if track is None:
            return None if self.end is None else self.end - self.start
        return max(0.0, min(track, track if self.end is None else self.end) - self.start)


WHOLE = Part()
