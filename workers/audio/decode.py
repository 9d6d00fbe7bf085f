"""Decodes any audio file to stereo float32 on the scratch disk, in chunks, and limits what a file may be or do.

What decodes is the track. No length that a header states decides on anything.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from stemsvc.errors import (
    AudioCorrupt,
    AudioTruncated,
    NoSamples,
    NotAudio,
    PartOutside,
    SamplesNotFinite,
    ScratchFull,
    TrackTooLong,
    UsageError,
)
from stemsvc.jobs.part import WHOLE, Part
from stemsvc.jobs.warnings import JobWarning
from workers.audio.conform import Conform, Sound
from workers.audio.demux import Packets, opened
from workers.audio.links import links
from workers.audio.timeline import Timeline
from workers.audio.track import FRAME_BYTES, Track
from workers.audio.truncation import breaks_off, lost_its_index
from workers.host.scratch import check_room

LOUDEST = 1e6  # times full scale: 120 dB above it, float32 has lost the quiet parts
MOST_BROKEN = 0.5  # of the packets: a file that lost more of its sound is no track
SHORT_END = 0.05  # seconds by which the track may end before the part does, without a word
ROOM_BYTES = 1 << 26  # written between two looks at the scratch disk


@dataclass(frozen=True)
class Limits:
    """How long a track may be, and how much of the scratch disk it must leave free."""

    max_seconds: float
    min_free_bytes: int = 0  # that must stay free on the scratch disk


def decode(path: Path, spool: Path, limits: Limits, part: Part = WHOLE) -> Track:
    """Decode that part of the track in `path` into the raw file `spool`, in a player's time; see `Timeline`, `Conform`.

    The limit bites on what the part plays, not on what a header says. A file that breaks off or has damaged packets
    gives a track with `warnings`, as long as half of its packets can be decoded. Raises `UsageError`: `not_audio`,
    `no_audio_stream`, `audio_track_missing`, `unsupported_audio`, `no_samples`, `track_too_long`, `part_outside`,
    `audio_truncated`, `audio_corrupt`, `samples_not_finite`; and `TransientError` `scratch_full`.
    """
    decoder = _Decoder(path, part)
    frames = _Spool(spool, limits, part, decoder).write()
    decoder.check()
    start = round(part.start * decoder.rate)
    frames = max(0, min(frames, decoder.frames - start))
    if frames == 0:
        end = decoder.frames / decoder.rate
        raise PartOutside(f"the part starts at {part.start:g} s; the track ends at {end:.2f} s")
    warnings = decoder.warnings(frames / decoder.rate)
    return Track(spool, decoder.codec, decoder.rate, decoder.channels, frames, decoder.broken, warnings)


class _Decoder:
    """Decodes a file's links one after the other, and collects what is to be told of them."""

    def __init__(self, path: Path, part: Part) -> None:
        self._path = path
        self._part = part
        self._conform = Conform()
        self._format = ""
        self._packets = 0
        self._excess = 0.0  # seconds at the end that a player does not play
        self._made = 0  # frames
        self._ended_broken = False
        self._lost = 0  # links that can't be decoded
        self.codec = ""
        self.broken = 0
        self.whole = False  # whether it came to the file's end

    @property
    def rate(self) -> int:
        """Hz; known from the first chunk on."""
        return self._conform.rate

    @property
    def channels(self) -> int:
        """Channels of the source."""
        return self._conform.channels

    @property
    def frames(self) -> int:
        """How many samples per channel the track has, as far as it is decoded."""
        return self._made - round(self._excess * self.rate)

    def chunks(self) -> Generator[Sound]:
        """Yield the sound of the whole file in chunks [n, 2]."""
        with links(self._path) as sources:
            for number, source in enumerate(sources):
                try:
                    yield from self._counted(self._link(source, number))
                except UsageError as error:
                    if number == 0:
                        raise self._explained(error) from error
                    self._lost += 1
            yield from self._counted(self._conform.finish())
        self.whole = True

    def _explained(self, error: UsageError) -> UsageError:
        if isinstance(error, NotAudio) and lost_its_index(self._path):
            return AudioTruncated("the file breaks off before the index of its sound")
        return error

    def _link(self, source: Path | BinaryIO, number: int) -> Iterator[Sound]:
        with opened(source, self._part.audio_track) as (container, stream):
            packets = Packets(container, stream)
            timeline = Timeline(container, stream, self._part.trim_start or number > 0)
            if number == 0:
                self._format, self.codec = container.format.name, stream.codec_context.name
            try:
                for frame in packets.frames():
                    yield from self._conform.take(frame, timeline.silence_before(frame))
                self._excess = timeline.excess(packets.end)
            finally:
                self._packets += packets.count
                self.broken += packets.broken
                self._ended_broken = packets.ended_broken

    def _counted(self, chunks: Iterator[Sound]) -> Iterator[Sound]:
        for chunk in chunks:
            self._made += len(chunk)
            yield chunk

    def check(self) -> None:
        """Raise where too little of the file could be decoded to be a track."""
        if self._made == 0:
            if not self.broken and self._breaks_off():
                raise AudioTruncated("the file breaks off before its first sample")
            damaged = self.broken or self._ended_broken
            raise (AudioCorrupt if damaged else NoSamples)("no sample could be decoded from this file")
        if self.broken > MOST_BROKEN * self._packets:
            raise AudioCorrupt(f"{self.broken} of {self._packets} packets can't be decoded")

    def warnings(self, seconds: float) -> tuple[JobWarning, ...]:
        """What is wrong with the file although its part, which plays so long, can be worked on."""
        return tuple(self._warnings(seconds))

    def _warnings(self, seconds: float) -> Iterator[JobWarning]:
        if self.whole and self._breaks_off():
            yield JobWarning("audio_truncated", f"the file breaks off; {self.frames / self.rate:.2f} s of it are left")
        if self.broken:
            yield JobWarning("broken_packets", f"{self.broken} of {self._packets} packets can't be decoded")
        if self._lost:
            yield JobWarning("broken_packets", f"{self._lost} of the chained tracks can't be decoded")
        end = self._part.end
        if self.whole and end is not None and self._part.start + seconds < end - SHORT_END:
            yield JobWarning("end_beyond_track", f"the track ends at {self.frames / self.rate:.2f} s, before {end:g} s")

    def _breaks_off(self) -> bool:
        return breaks_off(self._path, self._format, self._ended_broken)


class _Spool:
    """Writes the part of a track to the scratch disk."""

    def __init__(self, path: Path, limits: Limits, part: Part, decoder: _Decoder) -> None:
        self._path = path
        self._limits = limits
        self._part = part
        self._decoder = decoder

    def write(self) -> int:
        """Write what lies between the part's start and end; returns how many samples per channel that are."""
        at = frames = unseen = 0
        check_room(self._path.parent, self._limits.min_free_bytes)
        chunks = self._decoder.chunks()
        with _scratch_errors(), self._path.open("wb") as file, contextlib.closing(chunks):
            for chunk in chunks:
                kept = self._kept(chunk, at)
                at += len(chunk)
                frames += len(kept)
                self._check(kept, frames)
                file.write(np.ascontiguousarray(kept).data)
                unseen += len(kept) * FRAME_BYTES
                if unseen > ROOM_BYTES:
                    check_room(self._path.parent, self._limits.min_free_bytes)
                    unseen = 0
                if at >= self._end():
                    break
        return frames

    def _kept(self, chunk: Sound, at: int) -> Sound:
        start = round(self._part.start * self._decoder.rate)
        end = self._end()
        return chunk[max(0, start - at) : None if at + len(chunk) <= end else max(0, round(end) - at)]

    def _end(self) -> float:
        return float("inf") if self._part.end is None else round(self._part.end * self._decoder.rate)

    def _check(self, chunk: Sound, frames: int) -> None:
        most = self._limits.max_seconds
        if frames > most * self._decoder.rate:
            detail = f"the track plays for {frames / self._decoder.rate:.0f} s or more; at most {most:.0f} s are taken"
            raise TrackTooLong(detail)
        if not (np.abs(chunk) < LOUDEST).all():  # NaN compares as false
            raise SamplesNotFinite("the file holds samples that are not numbers, or are louder than any sound")


@contextlib.contextmanager
def _scratch_errors() -> Iterator[None]:
    try:
        yield
    except av.FFmpegError:
        raise
    except OSError as error:
        raise ScratchFull(f"the scratch disk can't be written: {error.strerror}") from error
