"""Opens a file, chooses one of its audio tracks, and yields what its packets decode to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition

from stemsvc.errors import AudioCorrupt, AudioTrackMissing, NoAudioStream, NotAudio, UnsupportedAudio

# Demuxers that read one local file. A stranger's playlist (hls, concat, dash) would open the files that it names.
CONTAINERS = (
    "wav,w64,flac,mp3,ogg,mov,mp4,m4a,aac,aiff,matroska,webm,caf,asf,avi,ape,wv,tta,au,amr,ac3,eac3,dts,mpeg,mpegts,"
    "flv,dsf,iff,wsd"
)
LENGTH_TAGS = (b"Xing", b"Info", b"VBRI")  # of an mp3's first frame, which has no sound


@contextlib.contextmanager
def opened(source: Path | BinaryIO, audio_track: int | None = None) -> Iterator[tuple[InputContainer, AudioStream]]:
    """The container, and its audio track of that number; None is the default one, else the first.

    Raises `UsageError` `not_audio`, `no_audio_stream`, `audio_track_missing`, `unsupported_audio`, `audio_corrupt`.
    """
    options = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
    file = str(source.resolve()) if isinstance(source, Path) else source
    try:
        container = av.open(file, "r", options=options, metadata_errors="replace")
    except (av.FFmpegError, ValueError) as error:
        raise NotAudio("this is not an audio or video file that we can read") from error
    with container:
        stream = _track(container, audio_track)
        if stream.codec_context is None:
            raise UnsupportedAudio("there is no decoder for the codec of this audio track")
        try:
            yield container, stream
        except av.FFmpegError as error:
            raise AudioCorrupt(f"this file can't be decoded: {error.strerror}") from error


def _track(container: InputContainer, number: int | None) -> AudioStream:
    tracks = container.streams.audio
    if not tracks:
        raise NoAudioStream("this file has no audio stream")
    if number is None:
        return next((track for track in tracks if track.disposition & Disposition.default), tracks[0])
    if number >= len(tracks):
        count = "one audio track" if len(tracks) == 1 else f"{len(tracks)} audio tracks"
        raise AudioTrackMissing(f"there is no audio track {number}: the file has {count}, counted from 0")
    return tracks[number]


class Packets:
    """Decodes a track's packets, and counts those that can't be decoded.

    `broken` counts those before the last one. `ended_broken` says whether the last one can't be decoded, or the
    container can't be read to its end: the file may break off there.
    """

    def __init__(self, container: InputContainer, stream: AudioStream) -> None:
        self._container = container
        self._stream = stream
        self.count = 0
        self.broken = 0
        self.ended_broken = False
        self.end: float | None = None  # where the last packet ends by its own statement, in seconds

    def frames(self) -> Iterator[AudioFrame]:
        """Yield the decoded frames, packet by packet."""
        for packet in self._packets():
            try:
                decoded = packet.decode()
            except (av.InvalidDataError, av.error.UndefinedError, EOFError):
                self.ended_broken = packet.size > 0 and not _is_length_tag(packet)
                continue
            yield from decoded

    def _packets(self) -> Iterator[Packet[AudioStream]]:
        base = self._stream.time_base
        try:
            for packet in self._container.demux(self._stream):
                if packet.size:
                    self.count += 1
                    self.broken += self.ended_broken
                    self.ended_broken = False
                if base is not None and packet.pts is not None and packet.duration:
                    self.end = (packet.pts + packet.duration) * base.numerator / base.denominator
                yield packet
        except av.FFmpegError:  # it can be read up to here
            self.ended_broken = True
            yield self._flush()

    def _flush(self) -> Packet[AudioStream]:
        packet = cast("Packet[AudioStream]", Packet())
        packet.stream = self._stream
        return packet


def _is_length_tag(packet: Packet[AudioStream]) -> bool:
    """Whether it is the length tag of an mp3 that was appended to another one: it can't be decoded, and need not."""
    head = bytes(packet)[:256]
    return any(tag in head for tag in LENGTH_TAGS)
