"""Lengths that a file's own bytes prove: sound of at least so many seconds is in it, whatever its header says.

PCM is counted by its bytes. FLAC numbers its frames: the last one's number is held against the header's. An mp3's
length tag counts frames and bytes, and proves its frames where the file has those bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class _File(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...


PCM = (1, 3, 6, 7)  # wav's codes of integers, floats, A-law and u-law
EXTENSIBLE = 0xFFFE
MOST_CHUNKS = 1000
AIFF_PCM = (b"NONE", b"sowt", b"twos", b"raw ", b"fl32", b"FL32", b"fl64", b"FL64", b"in24", b"in32", b"ulaw", b"alaw")
TAIL = 1 << 16  # bytes, in which a FLAC's last frame begins
SLACK = 1 << 16  # bytes of tags after an mp3's sound


def proved_seconds(file: _File, size: int) -> float | None:
    """Seconds of sound that a file of `size` bytes has at least; None where its format proves nothing."""
    file.seek(0)
    mark = file.read(12)
    prove: Callable[[_File, int], float | None]
    if mark[:4] in (b"RIFF", b"RF64", b"BW64") and mark[8:] == b"WAVE":
        prove = _wav
    elif mark[:4] == b"FORM" and mark[8:] in (b"AIFF", b"AIFC"):
        prove = _aiff
    elif mark[:4] == b"fLaC":
        prove = _flac
    elif mark[:3] == b"ID3" or mark[:1] == b"\xff":
        prove = _mp3
    else:
        return None
    return prove(file, size)


def _wav(file: _File, size: int) -> float | None:
    """As many blocks as there are bytes of the data chunk in the file; a size that is open or too large ends there."""
    at, block, rate, long_size = 12, 0, 0, None
    for _ in range(MOST_CHUNKS):
        file.seek(at)
        name, declared = file.read(4), int.from_bytes(file.read(4), "little")
        if name == b"fmt ":
            form = file.read(min(declared, 40)).ljust(40, b"\0")
            code = int.from_bytes(form[:2], "little")
            code = int.from_bytes(form[24:26], "little") if code == EXTENSIBLE else code
            rate, block = int.from_bytes(form[4:8], "little"), int.from_bytes(form[12:14], "little")
            if code not in PCM:
                return None
        elif name == b"ds64":  # RF64: sizes beyond 4 GiB
            long_size = int.from_bytes(file.read(16)[8:], "little")
        elif name == b"data":
            if declared == 0xFFFFFFFF and long_size is not None:
                declared = long_size
            held = max(0, size - at - 8)
            return min(declared or held, held) // block / rate if block and rate else None
        elif len(name) < 4:
            return None
        at += 8 + declared + declared % 2
    return None


def _aiff(file: _File, size: int) -> float | None:
    at, frame, rate = 12, 0, 0.0
    for _ in range(MOST_CHUNKS):
        file.seek(at)
        name, declared = file.read(4), int.from_bytes(file.read(4), "big")
        if name == b"COMM":
            common = file.read(min(declared, 22))
            if len(common) < 18 or (len(common) >= 22 and common[18:22] not in AIFF_PCM):
                return None
            frame = int.from_bytes(common[:2], "big") * -(-int.from_bytes(common[6:8], "big") // 8)
            rate = _extended(common[8:18])
        elif name == b"SSND":
            held = max(0, min(declared or size, size - at - 8) - 8)
            return held // frame / rate if frame and rate else None
        elif len(name) < 4:
            return None
        at += 8 + declared + declared % 2
    return None


def _extended(ten: bytes) -> float:
    """A number of IEEE 754's 80 bits, in which AIFF has its rate."""
    exponent, mantissa = int.from_bytes(ten[:2], "big") & 0x7FFF, int.from_bytes(ten[2:], "big")
    power = exponent - 16383 - 63
    return float(mantissa * 2**power if -200 < power < 200 else 0)


def _flac(file: _File, size: int) -> float | None:
    """The header's samples, where the last frame of the file ends with just that number and the first one is the first.

    RFC 9639: a frame's header has its number, or in streams of varying blocks its first sample's.
    """
    file.seek(4)
    info = file.read(38)[4:]
    packed = int.from_bytes(info[10:18], "big")
    rate, total, least, most = packed >> 44, packed & (1 << 36) - 1, _short(info[0:2]), _short(info[2:4])
    if not total or not rate:
        return None
    file.seek(max(0, size - TAIL))
    tail = file.read(TAIL)
    at = len(tail)
    while (at := tail.rfind(b"\xff", 0, at)) >= 0:
        ends = _frame_end(tail[at : at + 16], most if least == most else 0)
        if ends == total:
            return total / rate if _first_is_first(file, total) else None
    return None


def _first_is_first(file: _File, total: int) -> bool:
    """Whether the first frame of a FLAC has the number 0: of a cut file it has not."""
    at = 4
    for _ in range(MOST_CHUNKS):
        file.seek(at)
        head = file.read(4)
        if len(head) < 4:
            return False
        at += 4 + int.from_bytes(head[1:], "big")
        if head[0] & 0x80:
            break
    file.seek(at)
    head = file.read(5)
    return len(head) == 5 and head[:1] == b"\xff" and head[4] == 0


def _frame_end(head: bytes, block: int) -> int | None:
    """Where a FLAC frame with this header ends, in samples; None for bytes that are no header.

    `block` is the samples of the stream's blocks, 0 where they vary.
    """
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xFE != 0xF8:
        return None
    code, rate_code = head[2] >> 4, head[2] & 15
    width = 1 if head[4] < 0x80 else 8 - (head[4] ^ 0xFF).bit_length()
    after = 4 + width
    size_bytes, rate_bytes = {6: 1, 7: 2}.get(code, 0), {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    crc_at = after + size_bytes + rate_bytes
    if code == 0 or not 0 < width <= 7 or crc_at >= len(head) or _crc8(head[:crc_at]) != head[crc_at]:
        return None
    number = head[4] & (0x7F if width == 1 else 0xFF >> width + 1)
    for byte in head[5:after]:
        number = number << 6 | byte & 0x3F
    if size_bytes:
        samples = int.from_bytes(head[after : after + size_bytes], "big") + 1
    else:
        samples = 192 if code == 1 else 576 << code - 2 if code <= 5 else 256 << code - 8
    start = number if head[1] & 1 else number * block
    return start + samples


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07 if crc & 0x80 else crc << 1) & 0xFF
    return crc


def _short(two: bytes) -> int:
    return int.from_bytes(two, "big")


MP3_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def _mp3(file: _File, size: int) -> float | None:
    """The frames of a Xing or Info tag, where the file has as many bytes as the tag counts."""
    file.seek(0)
    head = file.read(10)
    start = 0
    if head[:3] == b"ID3":  # its size has 7 bits in each byte
        start = 10 + sum((byte & 0x7F) << 7 * (3 - place) for place, byte in enumerate(head[6:10]))
    file.seek(start)
    frame = file.read(256)
    found = max(frame.find(b"Xing"), frame.find(b"Info"))
    if len(frame) < 60 or frame[0] != 0xFF or frame[1] & 0xE6 != 0xE2 or not 0 < found < 64:
        return None
    version, rate_index = frame[1] >> 3 & 3, frame[2] >> 2 & 3
    if version == 1 or rate_index == 3 or frame[found + 7] & 3 != 3:
        return None
    frames, declared = (int.from_bytes(frame[found + at : found + at + 4], "big") for at in (8, 12))
    held = size - start
    if not frames or not declared <= held <= declared + SLACK or declared / frames < 24:
        return None
    return frames * (1152 if version == 3 else 576) / MP3_RATES[version][rate_index]
