"""Decoding any audio file to stereo float32 on scratch disk, in chunks, with limits on what a file may claim or do."""

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

# Demuxers that read one local file. Playlists (hls, concat, dash) would open what a stranger's file names.
CONTAINERS = (
    "wav,w64,flac,mp3,ogg,mov,mp4,m4a,aac,aiff,matroska,webm,caf,asf,avi,ape,wv,tta,au,amr,ac3,eac3,dts,mpeg,mpegts,flv"
)
MIN_RATE, MAX_RATE = 8000, 192000
MAX_CHANNELS = 32
LOUDEST = 1e6  # of full scale: 120 dB above it, float32 has lost the quiet parts
BROKEN_SHARE = 0.01  # of the packets: old files often carry a bad one, and their owners want them all the same


@dataclass(frozen=True)
class Limits:
    """What a track may be."""

    max_seconds: float
    min_free_bytes: int = 0  # of the scratch disk, to be left alone


def decode(path: Path, spool: Path, limits: Limits) -> Track:
    """Decode the best audio stream of `path` into the raw file `spool`.

    Mono is doubled, more than two channels are mixed down by FFmpeg's standard matrix. Raises `UsageError`:
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
            frames = packets.end  # mp4 says by its last packet's duration how much of the last frame is padding
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
            if not (np.abs(chunk) < LOUDEST).all():  # not a number compares as false
                raise SamplesNotFinite("the file holds samples that are no numbers, or beyond any sound")
            file.write(chunk.tobytes())
    return frames


class _Packets:
    """The stream's decoded frames, with an account of the packets behind them."""

    def __init__(self, container: InputContainer, stream: AudioStream) -> None:
        self._container = container
        self._stream = stream
        self.count = 0
        self.broken = 0  # packets that can't be decoded
        self.ended_broken = False  # whether the last one was such
        self.end: int | None = None  # where the last packet says it ends, in samples

    def frames(self) -> Iterator[AudioFrame]:
        """Decode the packets one by one."""
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
        raise NotAudio("this is no audio or video file that we can read") from error
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
        raise ScratchFull(f"the scratch disk refuses: {error.strerror}") from error


def _check_stream(stream: AudioStream) -> tuple[int, int, str]:
    context = stream.codec_context
    if context is None:
        raise UnsupportedAudio("no decoder for this file's codec")
    rate, channels = context.sample_rate, context.channels
    if not MIN_RATE <= rate <= MAX_RATE:
        raise UnsupportedAudio(f"the sample rate is {rate} Hz; {MIN_RATE} to {MAX_RATE} can be handled")
    if not 1 <= channels <= MAX_CHANNELS:
        raise UnsupportedAudio(f"{channels} channels; 1 to {MAX_CHANNELS} can be handled")
    return rate, channels, context.name


def _too_long(seconds: float, limits: Limits) -> str:
    return f"the track has {seconds:.0f} s or more; at most {limits.max_seconds:.0f} s are taken"


def _stereo_chunks(packets: _Packets, rate: int) -> Iterator[NDArray[np.float32]]:
    """Decoded chunks [frames, 2]."""
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
    """Hold what was decoded against what the header declared, codec delay and rounding allowed."""
    if expected is None:
        return
    slack = 0.3 * rate + 0.001 * expected
    if frames < expected - slack:
        raise AudioTruncated(f"the header promises {expected / rate:.2f} s, the file holds {frames / rate:.2f} s")
    if frames > expected + slack:
        raise LengthMismatch(f"the header says {expected / rate:.2f} s, the file holds {frames / rate:.2f} s")
