"""Reads a track's tags and cover. Only the child process that decodes calls this: the file is a stranger's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from workers.audio.ape_tag import ape_fields
from workers.audio.tags import MOST_COVER, NONE, Cover, Tags, carried

PICTURES = {"mjpeg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n"}  # what covers all formats take, by their first bytes
UNREADABLE = (av.FFmpegError, OSError, ValueError, MemoryError)
FRONT = "Cover (front)"  # FFmpeg's words for ID3's and FLAC's picture type 3


def read_tags(path: Path, containers: str, cover: Path) -> Tags:
    """The tags of the file; its front cover is written to the file `cover`.

    Never raises: tags that can't be read are none. `containers` are the demuxers that may open the file.
    """
    with contextlib.suppress(*UNREADABLE), _opened(path, containers) as container:
        fields = carried((name, _text(value)) for name, value in _fields(container, path))
        try:
            return Tags(fields, _cover(container, cover))
        except UNREADABLE:
            return Tags(fields)
    return NONE


def _opened(path: Path, containers: str) -> InputContainer:
    options = {"protocol_whitelist": "file", "format_whitelist": containers}
    # surrogates keep the bytes of a field that is no UTF-8
    return av.open(str(path.resolve()), options=options, metadata_errors="surrogateescape")


def _fields(container: InputContainer, path: Path) -> Iterator[tuple[str, str]]:
    """Name and value of each field. In ogg the tags are the stream's; elsewhere those of a stream are its own name."""
    found = [container.metadata]
    if "ogg" in container.format.name:
        found += [stream.metadata for stream in container.streams.audio[:1]]
    if "mp3" in container.format.name:  # FFmpeg reads ID3 there, but no APE tag
        found.append(ape_fields(path))
    return chain.from_iterable(each.items() for each in found)


def _text(value: str) -> str:
    """The field's text. ID3v1 and RIFF INFO name no encoding: what is no UTF-8 is taken for Windows's western one."""
    try:
        return value.encode("utf-8", "surrogateescape").decode()
    except UnicodeDecodeError:
        return value.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode()


def _cover(container: InputContainer, target: Path) -> Cover | None:
    pictures = [each for each in container.streams.video if each.disposition & Disposition.attached_pic]
    pictures.sort(key=lambda each: each.metadata.get("comment") != FRONT)  # the front first
    good = {each.index: each for each in pictures if _is_picture(each)}
    found: dict[int, bytes] = {}
    for packet in islice(container.demux(), len(pictures)):  # FFmpeg hands out attached pictures before all else
        if packet.stream.index in good and packet.size <= MOST_COVER:
            found[packet.stream.index] = bytes(packet)
    for number, stream in good.items():
        codec = stream.codec_context.name
        if found.get(number, b"").startswith(PICTURES[codec]):
            target.write_bytes(found[number])
            return Cover(target, codec, stream.width, stream.height)
    return None


def _is_picture(stream: VideoStream) -> bool:
    """Whether FFmpeg, when it opened the file, could decode the picture: what is none has no size."""
    context = stream.codec_context
    return context is not None and context.name in PICTURES and context.width > 0 and context.height > 0
