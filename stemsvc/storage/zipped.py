"""A zip of objects, made while it is read: stored, not deflated, for audio hardly shrinks.

Sizes and checksums of the objects are known before, so that the headers have them: the length of the whole is exact,
any range of it can be read, and the same objects give the same bytes. Libraries that stream zips write the checksum
behind each file instead, which readers of a stream (Java's among them) refuse for stored files.

The records are those of PKWARE's APPNOTE.TXT 6.3.10; the numbers in the comments are its sections.
"""

from __future__ import annotations

import bisect
import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stemsvc.storage.seekable import Seekable

PART = 2 * 1024 * 1024  # bytes that are read at once, and all that is held in memory
LIMIT = 0xFFFFFFFF  # what 32 bits can't say is said by a field of 64 (4.5.3)
MOST_ENTRIES = 0xFFFF
UTF8 = 1 << 11  # the flag for names in UTF-8 (4.4.4)
PLAIN, LONG = 20, 45  # version needed to extract (4.4.3): 4.5 has ZIP64
UNIX = 3 << 8  # made by (4.4.2): the attributes have a mode
MODE = 0o100644 << 16  # a file that its owner may write and all may read
EARLIEST = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Member:
    """A file of the zip. `read` gets `count` of its bytes from `start` on."""

    name: str
    size: int
    crc32: int
    read: Callable[[int, int], bytes]


@dataclass(frozen=True)
class _Piece:
    """A run of the zip's bytes: a record of ours, or a member."""

    size: int
    read: Callable[[int, int], bytes]


class Zipped(Seekable):
    """The zip as a file to read. `moment` becomes the modification time of every member, in UTC."""

    def __init__(self, members: Sequence[Member], moment: datetime) -> None:
        super().__init__(0)  # it grows with each piece
        self._pieces: list[_Piece] = []
        self._starts: list[int] = []
        stamp, central = _stamp(moment), b""
        for member in members:
            central += _central_header(member, stamp, self.size)
            self._add_record(_local_header(member, stamp))
            self._add(_Piece(member.size, member.read))
        self._end = central + _end_records(len(members), len(central), self.size)
        self._add_record(self._end)
        self._held = (0, b"")  # where the part begins that was read last, and its bytes

    @property
    def digest(self) -> str:
        """A hash of what decides on every byte: names, sizes, checksums, order and time, in hex."""
        return hashlib.sha256(self._end).hexdigest()

    def readinto(self, buffer: Any) -> int:
        """As `read`, into a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _next(self, most: int) -> bytes:
        """At least one and at most so many of the bytes from here on."""
        start, held = self._held
        if not start <= self._at < start + len(held):
            start, held = self._held = self._at, self._part()
        return held[self._at - start :][:most]

    def _part(self) -> bytes:
        number = bisect.bisect_right(self._starts, self._at) - 1
        piece, within = self._pieces[number], self._at - self._starts[number]
        part = piece.read(within, min(PART, piece.size - within))
        if not part:
            raise EOFError("a file is shorter than it was")
        return part

    def _add_record(self, record: bytes) -> None:
        self._add(_Piece(len(record), lambda start, count: record[start : start + count]))

    def _add(self, piece: _Piece) -> None:
        if piece.size:
            self._pieces.append(piece)
            self._starts.append(self.size)
            self.size += piece.size


def _stamp(moment: datetime) -> tuple[int, int]:
    """Time and date as MS-DOS has them, in steps of two seconds (4.4.6)."""
    year, month, day, hour, minute, second = max(EARLIEST, moment.timetuple()[:6])
    return hour << 11 | minute << 5 | second // 2, year - 1980 << 9 | month << 5 | day


def _local_header(member: Member, stamp: tuple[int, int]) -> bytes:
    """4.3.7; with ZIP64 both sizes stand in the extra field."""
    name, long = member.name.encode(), member.size >= LIMIT
    extra = struct.pack("<HHQQ", 1, 16, member.size, member.size) if long else b""
    size, version = (LIMIT, LONG) if long else (member.size, PLAIN)
    fields = (0x04034B50, version, UTF8, 0, *stamp, member.crc32, size, size, len(name), len(extra))
    return struct.pack("<I5H3I2H", *fields) + name + extra


def _central_header(member: Member, stamp: tuple[int, int], offset: int) -> bytes:
    """4.3.12; with ZIP64 the extra field has what is too large, and nothing else."""
    name = member.name.encode()
    large = [*([member.size] * 2 if member.size >= LIMIT else []), *([offset] if offset >= LIMIT else [])]
    extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    size, version = min(member.size, LIMIT), LONG if large else PLAIN
    fields = (0x02014B50, UNIX | version, version, UTF8, 0, *stamp, member.crc32, size, size, len(name), len(extra))
    return struct.pack("<I6H3I5H2I", *fields, 0, 0, 0, MODE, min(offset, LIMIT)) + name + extra


def _end_records(count: int, size: int, offset: int) -> bytes:
    """4.3.16, and with ZIP64 before it 4.3.14 and 4.3.15."""
    long = b""
    if count >= MOST_ENTRIES or size >= LIMIT or offset >= LIMIT:
        fields = (0x06064B50, 44, UNIX | LONG, LONG, 0, 0, count, count, size, offset)
        long = struct.pack("<IQ2H2I4Q", *fields) + struct.pack("<2IQI", 0x07064B50, 0, offset + size, 1)
    entries = min(count, MOST_ENTRIES)
    return long + struct.pack("<I4H2IH", 0x06054B50, 0, 0, entries, entries, min(size, LIMIT), min(offset, LIMIT), 0)
