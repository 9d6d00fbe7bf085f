"""Decodes any audio file to stereo float32 on the scratch disk, in chunks, and limits what a file may claim or do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from stemsvc.errors import (
    AudioCorrupt,
    AudioTruncated,
    LengthMismatch,
    NoAudioStream,
    NoSamples,
    NotAudio,
    SamplesNotFinite,
    ScratchFull,
    TrackTooLong,
    UnsupportedAudio,
)
from workers.audio.headers import declared_frames, ends_in_half_a_frame
from workers.audio.track import CHANNELS, FRAME_BYTES, Track
from workers.host.scratch import check_room

# Demuxers that read one local file. A stranger's playlist (hls, concat, dash) would open the files that it names.
CONTAINERS = (
    "wav,w64,flac,mp3,ogg,mov,mp4,m4a,aac,aiff,matroska,webm,caf,asf,avi,ape,wv,tta,au,amr,ac3,eac3,dts,mpeg,mpegts,flv"
)
MIN_RATE, MAX_RATE = 8000, 192000
MAX_CHANNELS = 32
LOUDEST = 1e6  # times full scale: 120 dB above it, float32 has lost the quiet parts
BROKEN_SHARE = 0.01  # of the packets: old files often hold a bad packet, and their owners still want the stems


@dataclass(frozen=True)
class Limits:
    """How long a track may be, and how much of the scratch disk it must leave free."""

    max_seconds: float
    min_free_bytes: int = 0  # that must stay free on the scratch disk


def decode(path: Path, spool: Path, limits: Limits) -> Track:
    """Decode the best audio stream of `path` into the raw file `spool`.

    Mono is copied to both channels. FFmpeg's standard matrix mixes more than two channels down. Raises `UsageError`:
    `not_audio`, `no_audio_stream`, `unsupported_audio`, `no_samples`, `track_too_long`, `audio_truncated`,
    `audio_corrupt`, `length_mismatch`, `samples_not_finite`.
    """
    with _opened(path) as (container, stream):
        rate, channels, codec = _check_stream(stream)
        expected = declared_frames(container, stream, path)
        if expected is not None and expected > limits.max_seconds * rate:
            raise TrackTooLong(_too_long(expected / rate, limits))
        check_room(spool.parent, (expected or 0) * FRAME_BYTES + limits.min_free_bytes)
        packets = _Packets(container, stream)
        frames = _spool(packets, spool, rate, limits)
        if packets.end is not None and "mov" in container.format.name and frames > packets.end:
            frames = packets.end  # in mp4 the last packet's duration tells how much of the last frame is padding
    if frames == 0:
        raise (AudioCorrupt if packets.broken else NoSamples)("no sample could be decoded from this file")
    _check_length(frames, expected, rate)
    if expected is None and (packets.ended_broken or ends_in_half_a_frame(path, codec)):
        raise AudioTruncated("the file breaks off in the middle of a frame")
    if packets.broken > BROKEN_SHARE * packets.count:
        raise AudioCorrupt(f"{packets.broken} of {packets.count} packets can't be decoded")
    return Track(spool, codec, rate, channels, frames, packets.broken)


def _spool(packets: _Packets, spool: Path, rate: int, limits: Limits) -> int:
    """Write every decoded chunk to `spool`; returns the samples per channel."""
    frames = 0
    with _scratch_errors(), spool.open("wb") as file:
        for chunk in _stereo_chunks(packets, rate):
            frames += len(chunk)
            if frames > limits.max_seconds * rate:
                raise TrackTooLong(_too_long(frames / rate, limits))
            if not (np.abs(chunk) < LOUDEST).all():  # NaN compares as false
                raise SamplesNotFinite("the file holds samples that are not numbers, or are louder than any sound")
            file.write(chunk.tobytes())
    return frames


class _Packets:
    """Decodes a stream's packets, and counts those that can't be decoded."""

    def __init__(self, container: InputContainer, stream: AudioStream) -> None:
        self._container = container
        self._stream = stream
        self.count = 0
        self.broken = 0  # packets that can't be decoded
        self.ended_broken = False  # whether the last packet could not be decoded
        self.end: int | None = None  # where the last packet ends by its own statement, in samples

    def frames(self) -> Iterator[AudioFrame]:
        """Yield the decoded frames, packet by packet."""
        for packet in self._container.demux(self._stream):
            self.count += 1
            if packet.pts is not None and packet.duration and self._stream.time_base is not None:
                self.end = round((packet.pts + packet.duration) * self._stream.time_base * self._stream.sample_rate)
            try:
                decoded = packet.decode()
            except (av.InvalidDataError, av.error.UndefinedError, EOFError):
                self.broken, self.ended_broken = self.broken + 1, True
                continue
            for frame in decoded:
                assert isinstance(frame, AudioFrame)
                self.ended_broken = False
                yield frame


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, AudioStream]]:
    options = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
    try:
        container = av.open(str(path.resolve()), options=options, metadata_errors="replace")
    except (av.FFmpegError, ValueError) as error:
        raise NotAudio("this is not an audio or video file that we can read") from error
    with container:
        if not container.streams.audio:
            raise NoAudioStream("this file has no audio stream")
        try:
            yield container, container.streams.best("audio") or container.streams.audio[0]  # type: ignore[misc]
        except av.FFmpegError as error:
            raise AudioCorrupt(f"this file can't be decoded: {error.strerror}") from error


@contextlib.contextmanager
def _scratch_errors() -> Iterator[None]:
    try:
        yield
    except av.FFmpegError:
        raise
    except OSError as error:
        raise ScratchFull(f"the scratch disk can't be written: {error.strerror}") from error


def _check_stream(stream: AudioStream) -> tuple[int, int, str]:
    context = stream.codec_context
    if context is None:
        raise UnsupportedAudio("there is no decoder for this file's codec")
    rate, channels = context.sample_rate, context.channels
    if not MIN_RATE <= rate <= MAX_RATE:
        raise UnsupportedAudio(f"the sample rate is {rate} Hz; {MIN_RATE} to {MAX_RATE} Hz are supported")
    if not 1 <= channels <= MAX_CHANNELS:
        raise UnsupportedAudio(f"the file has {channels} channels; 1 to {MAX_CHANNELS} are supported")
    return rate, channels, context.name


def _too_long(seconds: float, limits: Limits) -> str:
    return f"the track lasts {seconds:.0f} s or more; at most {limits.max_seconds:.0f} s are accepted"


def _stereo_chunks(packets: _Packets, rate: int) -> Iterator[NDArray[np.float32]]:
    """Yield the decoded sound in chunks [frames, 2]."""
    resampler: AudioResampler | None = None
    for frame in packets.frames():
        if frame.sample_rate != rate:
            raise UnsupportedAudio("the sample rate changes within the file")
        if resampler is None:
            layout = "stereo" if len(frame.layout.channels) > CHANNELS else frame.layout
            resampler = AudioResampler(format="fltp", layout=layout, rate=rate)
        yield from _convert(resampler, frame)
    if resampler is not None:
        yield from _convert(resampler, None)


def _convert(resampler: AudioResampler, frame: AudioFrame | None) -> Iterator[NDArray[np.float32]]:
    try:
        converted = resampler.resample(frame)
    except (av.FFmpegError, ValueError) as error:
        raise UnsupportedAudio("the channel layout of this file can't be mixed to stereo") from error
    for part in converted:
        planes = part.to_ndarray().astype(np.float32, copy=False)  # [channels, frames]
        stereo = np.repeat(planes, CHANNELS, axis=0) if len(planes) == 1 else planes[:CHANNELS]
        yield np.ascontiguousarray(stereo.T)


def _check_length(frames: int, expected: int | None, rate: int) -> None:
    """Compare the decoded length with the header's, in samples. The slack allows for codec delay and rounding."""
    if expected is None:
        return
    slack = 0.3 * rate + 0.001 * expected
    if frames < expected - slack:
        raise AudioTruncated(f"the header promises {expected / rate:.2f} s, the file holds {frames / rate:.2f} s")
    if frames > expected + slack:
        raise LengthMismatch(f"the header says {expected / rate:.2f} s, the file holds {frames / rate:.2f} s")
