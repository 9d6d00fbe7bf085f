"""Where a track's frames are heard: the silence before a late start and in holes, and the padding at an mp4's end."""

from __future__ import annotations

from typing import cast

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

# Containers that store when each packet is heard. Of all others FFmpeg counts the samples: they can't have holes.
STAMPED = frozenset({"matroska", "webm", "mov", "mp4", "mpegts", "mpeg", "flv", "asf"})
# Containers whose time begins at zero. The clocks of all others begin anywhere.
FROM_ZERO = frozenset({"matroska", "webm", "mov", "mp4"})
# A later start than this is the clock of a live recording; a longer hole is a clock that was set. Nobody waits so long.
LONGEST_SILENCE = 3600.0
# In broadcasts the clock is set more often: FFmpeg takes a longer jump than this for one (-dts_delta_threshold).
BROADCAST = frozenset({"mpegts", "mpeg"})
LONGEST_BROADCAST_HOLE = 10.0
LEAST_LEAD = 0.01  # seconds; Vorbis and Opus have no sound in a part of their first packet
LEAST_HOLE = 0.1  # seconds; FFmpeg's aresample (min_hard_comp) and mpv take less for jitter, too
PADDED_FRAMES = 2  # that may be padding at the end; what is more has another cause
ROUNDING = 0.002  # seconds; Matroska's and FLV's times are whole milliseconds


class Timeline:
    """Keeps a track's time as a player does.

    **Start.** A video's picture and sound start together, so a track whose container starts before it begins with
    silence, up to its own first sample. In Matroska, WebM, MP4 and MOV time starts at zero, whatever the first packet's
    time is, and silence is heard until then as well (`ffmpeg -itsoffset 5`, an edit list). In Ogg, MPEG-TS, MPEG-PS,
    FLV and ASF the first packet's time is that of a clock which nobody set for this file: there the first track starts
    at once, as in ffplay and mpv (`--rebase-start-time`).

    **Holes.** Where a packet of a `STAMPED` container is late by more than `LEAST_HOLE`, or by a whole number of equal
    packets, silence is heard in between. Less is jitter: the samples go on as they are, and so they do where packets
    overlap. A recorder's clock may drift against its samples; only a jump is a hole.

    **Padding** of an encoder is cut by FFmpeg: an edit list, Opus's pre-skip, LAME's gapless tag. It leaves what an
    mp4's last packet has beyond its own duration; see `excess`.
    """

    def __init__(self, container: InputContainer, stream: AudioStream, trim_start: bool = False) -> None:
        names = set(container.format.name.split(","))
        self._stamped = bool(names & STAMPED)
        self._longest = LONGEST_BROADCAST_HOLE if names & BROADCAST else LONGEST_SILENCE
        self._mp4 = "mov" in names
        self._origin = None if trim_start else _origin(names, container, stream)
        self._zero: float | None = None  # the time at which the first of our samples is heard; None before the first
        self._made = 0.0  # seconds of sound and silence so far
        self._next = 0.0  # when the next frame is due
        self._last = 0.0  # seconds of the frame before
        self._size = 0  # its samples
        self._steady = False  # whether the two frames before had equally many

    def silence_before(self, frame: AudioFrame) -> int:
        """How many samples of silence, at the frame's rate, are heard before it. Call it once for each, in order."""
        rate, at = frame.sample_rate, None
        if frame.pts is not None and (base := frame.time_base):
            at = frame.pts * base.numerator / base.denominator  # a product of fractions takes far longer
        silence = 0 if at is None else self._silence(at, rate)
        self._made += (silence + frame.samples) / rate
        self._next = (self._next if at is None else at) + frame.samples / rate
        self._steady, self._size = frame.samples == self._size, frame.samples
        self._last = frame.samples / rate
        return silence

    def excess(self, end: float | None) -> float:
        """Seconds of the sound so far that an mp4 whose last packet says that it ends at `end` does not play."""
        if not self._mp4 or end is None or self._zero is None:
            return 0.0
        over = self._made - (end - self._zero)
        return over if 0 < over <= PADDED_FRAMES * self._last else 0.0

    def _silence(self, at: float, rate: int) -> int:
        if self._zero is None:
            lead = 0.0 if self._origin is None else at - self._origin
            if lead < LEAST_LEAD:
                lead = 0.0
            self._zero = at - lead - self._made
            return round(lead * rate)
        step = at - self._next
        if step < -LEAST_HOLE or step > self._longest:  # the clock was set
            self._zero = at - self._made
        elif self._stamped and (step > LEAST_HOLE or self._lost(step * rate, rate)):
            gap = (at - self._zero - self._made) * rate  # by the whole track's clock, so that errors don't add up
            return max(0, self._lost(gap, rate) or round(gap))
        return 0

    def _lost(self, gap: float, rate: int) -> int:
        """The samples of the packets that are missing in `gap` samples; 0 where no whole number of them fits."""
        if not self._steady or not self._size:
            return 0
        samples = round(gap / self._size) * self._size
        return samples if samples > 0 and abs(gap - samples) <= ROUNDING * rate else 0


def _origin(names: set[str], container: InputContainer, stream: AudioStream) -> float | None:
    """The time at which a player starts; None where that is the track's own first sample."""
    stated = cast("int | None", container.start_time)  # raw AAC has none
    if stated is None:
        return None
    start = stated / 1_000_000
    if names & FROM_ZERO and start <= LONGEST_SILENCE:
        return 0.0
    if stream.start_time is None or stream.time_base is None:
        return None
    own = float(stream.start_time * stream.time_base)
    return start if own - start >= LEAST_LEAD else None
