"""APE tags at the end of an mp3, which FFmpeg reads in no mp3 (wiki.hydrogenaudio.org, "APEv2 specification")."""

from __future__ import annotations

import os
import struct
from pathlib import Path

MAGIC = b"APETAGEX"
FOOTER = 32
ID3V1 = 128  # bytes of the tag that may follow
MOST_BYTES = 1024 * 1024  # of a tag; pictures are not read
TEXT = 0  # of an item, in bits 1 and 2 of its flags
NAMES = {"year": "date", "album artist": "album_artist", "albumartist": "album_artist", "disc number": "disc"}


def ape_fields(path: Path) -> dict[str, str]:
    """The tag's texts by FFmpeg's names; empty where there is no tag, or one that breaks the rules."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        for footer in (end - FOOTER, end - ID3V1 - FOOTER):
            if footer < 0:
                break
            file.seek(footer)
            head = file.read(FOOTER)
            if head.startswith(MAGIC):
                _, size, count, _ = struct.unpack_from("<4I", head, len(MAGIC))
                start = footer + FOOTER - size
                if not FOOTER <= size <= MOST_BYTES or start < 0:
                    break
                file.seek(start)
                return _items(file.read(size - FOOTER), count)
    return {}


def _items(data: bytes, count: int) -> dict[str, str]:
    fields: dict[str, str] = {}
    at = 0
    for _ in range(min(count, len(data))):
        name_end = data.find(b"\0", at + 8)
        if name_end < 0:
            break
        size, flags = struct.unpack_from("<2I", data, at)
        name = data[at + 8 : name_end].decode("ascii", "replace")
        at = name_end + 1 + size
        if at > len(data):
            break
        if flags >> 1 & 3 == TEXT:
            value = data[name_end + 1 : at].decode("utf-8", "surrogateescape").replace("\0", ";")
            fields.setdefault(NAMES.get(name.lower(), name), value)
    return fields
