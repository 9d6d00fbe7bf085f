"""Writes a stem's tags and cover into its file, as each container keeps them."""

from __future__ import annotations

import base64
import io
import struct
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition

from workers.audio.tags import Cover, Tags

FRONT = 3  # the type of a front cover, in ID3v2 and FLAC alike
PICTURED = ("flac", "mp3", "mp4")  # FFmpeg's muxers that take a cover as a stream
TICK = Fraction(1, 90000)  # any time base: a cover has no time
RIFF_LIMIT = 0xFFFFFFFF  # bytes that a RIFF file can say it has


def write_head(container: OutputContainer, stream: AudioStream, tags: Tags) -> None:
    """Give the tags to the file, before its first sound. The stream must be set up."""
    if container.format.name == "ogg":  # there the tags are the stream's, and a cover is one of them
        stream.metadata.update(tags.fields)
        if tags.cover is not None:
            stream.metadata["METADATA_BLOCK_PICTURE"] = base64.b64encode(picture_block(tags.cover)).decode()
        return
    container.metadata.update(tags.fields)
    if tags.cover is not None and container.format.name in PICTURED:
        _mux_cover(container, tags.cover)


def write_end(path: Path, format: str, tags: Tags) -> None:
    """Add to the finished file what FFmpeg can't: a wav gets a chunk `id3 ` beside its short `LIST INFO`.

    FFmpeg, foobar2000, Mp3tag, Picard and others read and write it; programs that don't know a chunk pass over it.
    """
    if format == "wav" and (tags.fields or tags.cover):
        append_chunk(path, b"id3 ", id3_tag(tags))


def picture_block(cover: Cover) -> bytes:
    """The cover as a FLAC picture block (RFC 9639, 8.8), which ogg has in a comment."""
    data, media_type = cover.data, cover.media_type.encode()
    head = struct.pack(">2I", FRONT, len(media_type)) + media_type + struct.pack(">I", 0)  # no description
    return head + struct.pack(">5I", cover.width, cover.height, 24, 0, len(data)) + data


def id3_tag(tags: Tags) -> bytes:
    """The tags as ID3v2.4: the head of an mp3 without sound."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp3", options={"write_xing": "0"}) as container:
        container.add_mux_stream("mp3", rate=44100)
        container.metadata.update(tags.fields)
        if tags.cover is not None:
            _mux_cover(container, tags.cover)
        else:
            container.start_encoding()
    return file.getvalue()


def append_chunk(path: Path, name: bytes, data: bytes) -> None:
    """Add a chunk to a finished RIFF or RF64 file; to none that would be too large for its header then."""
    with path.open("r+b") as file:
        long = file.read(4) == b"RF64"
        end = file.seek(0, io.SEEK_END)
        chunk = bytes(end % 2) + name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
        size = end + len(chunk) - 8
        if size > RIFF_LIMIT and not long:
            return
        file.write(chunk)
        file.seek(20 if long else 4)  # RF64 has its size in the chunk ds64, which is the first (EBU Tech 3306)
        file.write(struct.pack("<Q" if long else "<I", size))


def _mux_cover(container: OutputContainer, cover: Cover) -> None:
    picture = container.add_mux_stream(cover.codec, width=cover.width, height=cover.height, time_base=TICK)
    picture.disposition = Disposition.attached_pic
    picture.metadata["comment"] = "Cover (front)"
    packet = Packet(cover.data)
    packet.stream, packet.time_base, packet.pts, packet.dts, packet.is_keyframe = picture, TICK, 0, 0, True
    container.mux(packet)
