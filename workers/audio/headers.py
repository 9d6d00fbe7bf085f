"""The length that a file's header states. FFmpeg also guesses lengths; those are not used here."""

from __future__ import annotations

from pathlib import Path

from av.audio.stream import AudioStream
from av.container import InputContainer

# Demuxers whose files state their duration. FFmpeg guesses others (adts, mp3 without a Xing header) by bit rate.
STATED = ("w64", "flac", "aiff", "mov", "caf", "ape", "wv", "tta", "au")
# What FFmpeg, sox and others write as a wav's size when they can't go back and fill it in.
OPEN_SIZES = (0, 0x7FFFF000, 0xFFFFFFFF)
# MPEG audio, kbit/s by bitrate index: version 1 layer 3, and version 2 and 2.5 layer 3 (ISO 11172-3, 13818-3).
BITRATES_V1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
BITRATES_V2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
SAMPLE_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def declared_frames(container: InputContainer, stream: AudioStream, path: Path) -> int | None:
    """Samples per channel that the header declares; None if it declares no length."""
    names = container.format.name.split(",")
    if "wav" in names:
        return riff_frames(path)
    stated = any(name in STATED for name in names) or ("mp3" in names and has_length_tag(path))
    if stated and stream.duration is not None and stream.time_base is not None:
        return round(stream.duration * stream.time_base * stream.sample_rate)
    if "matroska" in names and len(container.streams) == 1 and container.duration:
        return round(container.duration / 1_000_000 * stream.sample_rate)
    return None


def riff_frames(path: Path) -> int | None:
    """Samples per channel that a wav's data chunk declares. FFmpeg does not tell: it uses the file's own size instead.

    None if the size is left open. Programs that write to a pipe leave it open.
    """
    block, long_size = 0, None
    with path.open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            name, size = head[:4], int.from_bytes(head[4:], "little")
            if name == b"data":
                size = long_size if size == 0xFFFFFFFF and long_size is not None else size
                return size // block if block and size not in OPEN_SIZES else None
            body = file.read(min(size, 64)) if name in (b"fmt ", b"ds64") else b""
            if name == b"fmt " and len(body) >= 14:
                block = int.from_bytes(body[12:14], "little")
            elif name == b"ds64" and len(body) >= 16:  # RF64: sizes beyond 4 GiB
                long_size = int.from_bytes(body[8:16], "little")
            file.seek(size + size % 2 - len(body), 1)
    return None


def has_length_tag(path: Path) -> bool:
    """Whether an mp3's first frame is a Xing, Info or VBRI header, which counts the frames."""
    with path.open("rb") as file:
        file.seek(id3_bytes(file.read(10)))
        head = file.read(8192)
    return any(tag in head for tag in (b"Xing", b"Info", b"VBRI"))


def id3_bytes(head: bytes) -> int:
    """Length in bytes of the ID3v2 tag of a file whose first ten bytes are `head`; 0 if there is no tag."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = 0
    for byte in head[6:10]:  # 7 bits each
        size = size << 7 | byte & 0x7F
    return size + 10


def ends_in_half_a_frame(path: Path, codec: str) -> bool:
    """Whether an mp3 without a length tag stops inside its last frame. FFmpeg decodes such a file without an error."""
    if not codec.startswith("mp3"):
        return False
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 16384))
        tail = file.read()
    if tail[-128:-125] == b"TAG":  # ID3v1
        tail = tail[:-128]
    # Follow the chain of frames: from the first header whose successors are headers too, to the end.
    for start in range(max(0, len(tail) - 4)):
        lengths = _chain(tail, start)
        if len(lengths) >= 3:
            end = start + sum(lengths)
            return end > len(tail)
    return False


def _chain(data: bytes, start: int) -> list[int]:
    """Lengths of the frames that follow one another from `start`. The last may reach past the end of `data`."""
    lengths: list[int] = []
    at = start
    while length := frame_bytes(data[at : at + 4]):
        lengths.append(length)
        at += length
    return lengths if at >= len(data) - 4 or len(lengths) >= 3 else []


def frame_bytes(header: bytes) -> int:
    """Length in bytes of the MPEG layer 3 frame that starts with these four bytes; 0 if they are no frame's start."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0
    version, index, rate_index = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or index in (0, 15) or rate_index == 3:
        return 0
    kilobits = (BITRATES_V1 if version == 3 else BITRATES_V2)[index]
    samples = 144 if version == 3 else 72
    return samples * kilobits * 1000 // SAMPLE_RATES[version][rate_index] + (header[2] >> 1 & 1)
