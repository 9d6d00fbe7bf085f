"""Walks a file by the lengths that its chunks, atoms, elements and tags declare, without reading what is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Literal

MOST = 1_000_000  # pieces of a file; no file needs more, and a hostile one must end
# What programs write as a size when they can't go back and fill it in: 0, or nearly the most that 31 or 32 bits hold,
# or that less the length of some header: 7FFFF000 (sox), 7FFFFFFF (lame), FFFFFFFF (FFmpeg).
NEARLY = 1 << 16


@dataclass(frozen=True)
class Piece:
    """A piece of a file: where it starts, and where it ends by its own word; None where that was left open."""

    name: bytes
    start: int
    end: int | None


Walk = Callable[[BinaryIO], Iterator[Piece]]


def is_open(size: int, bits: int = 32) -> bool:
    """Whether a size is none, but what stands for one that was not known."""
    top = 1 << bits
    return size == 0 or size >= top - NEARLY or top // 2 - NEARLY <= size <= top // 2 + NEARLY


@dataclass(frozen=True)
class _Form:
    """How a format of chunks is built: bytes before the first one, and of a chunk's name and size."""

    first: int
    name: int
    size: int
    order: Literal["big", "little"]
    inclusive: bool = False  # whether the size counts the head too
    even: int = 1  # chunks start at multiples of it


def _chunks(form: _Form, file: BinaryIO) -> Iterator[Piece]:
    at, long_size = form.first, None
    for _ in range(MOST):
        file.seek(at)
        head = file.read(form.name + form.size)
        name, size = head[: form.name], int.from_bytes(head[form.name :], form.order)
        if len(head) < form.name + form.size or not name[:4].isascii() or not name[:4].decode().isprintable():
            return  # the end; or sound, where the size before was a stale one
        if name == b"ds64":  # RF64: sizes beyond 4 GiB
            long_size = int.from_bytes(file.read(16)[8:16], form.order)
        if name == b"data" and size == 0xFFFFFFFF and long_size is not None:
            size = long_size
        body = at + (0 if form.inclusive else len(head))
        if is_open(size, 8 * form.size):
            yield Piece(name, at, None)
            return
        end = body + size
        yield Piece(name, at, end)
        at = max(at + len(head), end + -end % form.even)


# Atoms at a file's top. Behind them some cameras and taggers write what is no atom.
ATOMS = frozenset(b"ftyp moov mdat moof mfra sidx styp free skip wide uuid meta udta".split())


def _atoms(file: BinaryIO) -> Iterator[Piece]:
    """ISO base media: mp4, mov. A size of 1 stands for a longer one, 0 for all that is left."""
    at = 0
    for _ in range(MOST):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8 or head[4:8] not in ATOMS:
            return
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8:
            yield Piece(head[4:8], at, None)
            return
        yield Piece(head[4:8], at, at + size)
        at += size


SEGMENT, CLUSTER = b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"
TOP = (
    "1a45dfa3",
    "18538067",
    "1f43b675",
    "114d9b74",
    "1549a966",
    "1654ae6b",
    "1c53bb6b",
    "1254c367",
    "1941a469",
    "1043a770",
)
IN_CLUSTER = "ec", "bf", "e7", "a3", "a0", "ab", "a7", "5854", "af"
ELEMENTS = frozenset(map(bytes.fromhex, TOP + IN_CLUSTER))


def _elements(file: BinaryIO) -> Iterator[Piece]:
    """EBML: Matroska, WebM. A segment or cluster whose size was left open is entered."""
    at = 0
    for _ in range(MOST):
        file.seek(at)
        head = file.read(12)
        name = head[: _leading(head[:1], 4)]
        width = _leading(head[len(name) : len(name) + 1], 8)
        number = head[len(name) : len(name) + width]
        if name not in ELEMENTS or len(number) < width or not width:
            return
        size = int.from_bytes(number, "big") & (1 << 7 * width) - 1
        body = at + len(name) + width
        if size == (1 << 7 * width) - 1:
            if name not in (SEGMENT, CLUSTER):
                return
            at = body
            continue
        yield Piece(name, at, body + size)
        at = body + size


def _leading(byte: bytes, most: int) -> int:
    """How many bytes an EBML number has, by its first one; 0 where that starts none."""
    width = 9 - byte[0].bit_length() if byte else 0
    return width if width <= most else 0


def _tags(file: BinaryIO) -> Iterator[Piece]:
    """FLV: a head of 9 bytes, then tags, each followed by its size once more."""
    at = 9 + 4
    for _ in range(MOST):
        file.seek(at)
        head = file.read(11)
        if len(head) < 11 or head[0] not in (8, 9, 18):  # sound, picture, data
            return
        end = at + 11 + int.from_bytes(head[1:4], "big")
        yield Piece(head[:1], at, end)
        at = end + 4


def _au(file: BinaryIO) -> Iterator[Piece]:
    file.seek(0)
    head = file.read(12)
    if len(head) == 12:
        start, size = int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:12], "big")
        yield Piece(b"data", start, None if is_open(size) else start + size)


WALKS: dict[str, Walk] = {
    "wav": partial(_chunks, _Form(12, 4, 4, "little", even=2)),
    "avi": partial(_chunks, _Form(12, 4, 4, "little", even=2)),
    "aiff": partial(_chunks, _Form(12, 4, 4, "big", even=2)),
    "w64": partial(_chunks, _Form(40, 16, 8, "little", inclusive=True, even=8)),
    "caf": partial(_chunks, _Form(8, 4, 8, "big")),
    "au": _au,
    "mov": _atoms,
    "matroska": _elements,
    "flv": _tags,
}
