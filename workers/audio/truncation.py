"""Whether a file breaks off. Only proof counts: a piece that ends beyond the file's last byte, half a frame at the end.

A length in seconds or samples proves nothing: programs that cut a file leave the old one in its header.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

from workers.audio.chunks import WALKS
from workers.audio.ogg import pages

SLACK = 64  # bytes; some programs count their header in, or round up
# MPEG audio, kbit/s by bitrate index: version 1 layer 3, and version 2 and 2.5 layer 3 (ISO 11172-3, 13818-3).
BITRATES_V1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
BITRATES_V2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
SAMPLE_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
TAIL = 16384  # bytes of an mp3 that are looked at


def breaks_off(path: Path, format: str, ended_broken: bool) -> bool:
    """Whether a file that FFmpeg's demuxer `format` reads stops in the middle.

    `ended_broken` says whether its last packet can't be decoded: that decides where the format's pieces tell nothing.
    """
    names, size = format.split(","), path.stat().st_size
    with path.open("rb") as file:
        if "ogg" in names:
            last = next(iter(deque(pages(file), maxlen=1)), None)
            return last is not None and (last.end > size or not last.complete)
        if "mp3" in names:
            return _ends_in_half_a_frame(path)
        if "mpegts" in names:  # a broadcast, which is cut out anywhere
            return False
        for name in names:
            if name in WALKS:
                return any((piece.end or 0) > size + SLACK for piece in WALKS[name](file))
    return ended_broken


def lost_its_index(path: Path) -> bool:
    """Whether a file that can't be opened is an mp4 or caf that breaks off: both may have their index at the end."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(12)
    name = "mov" if head[4:8] in (b"ftyp", b"moov", b"mdat") else "caf" if head[:4] == b"caff" else ""
    return bool(name) and breaks_off(path, name, ended_broken=False)


def _ends_in_half_a_frame(path: Path) -> bool:
    """Whether an mp3 stops inside its last frame. FFmpeg decodes such a file without an error."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL))
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
