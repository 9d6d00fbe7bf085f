"""What a file looks like by its first bytes, whatever its host calls it."""

from __future__ import annotations

import enum
import re

ENOUGH = 1445  # bytes: the resource header of the WHATWG's MIME Sniffing Standard, section 5.2

# Bytes that no text has, and the marks of texts that have such bytes all the same (the same, section 7.2).
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_UNICODE = (b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")
_BEFORE = rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*"
_PAGE = re.compile(_BEFORE + rb"<(?:!doctype\s+html|html|head|body|script|iframe)[\s>]", re.IGNORECASE | re.DOTALL)
_XML_LIST = _BEFORE + rb"<(?:MPD|playlist|asx)[\s>]"
_PLAYLIST = re.compile(rb"\s*(?:#EXTM3U|\[playlist\])|" + _XML_LIST, re.IGNORECASE | re.DOTALL)


class Looks(enum.Enum):
    """What the first bytes look like."""

    BINARY = enum.auto()  # perhaps audio: the decoder judges that
    PAGE = enum.auto()  # HTML
    PLAYLIST = enum.auto()  # m3u, pls, xspf, asx or dash
    TEXT = enum.auto()  # any other text


def looks_like(first: bytes) -> Looks:
    """Judge a file by its first `ENOUGH` bytes, or by all of a shorter one."""
    first = first[:ENOUGH]
    if not first.startswith(_UNICODE) and _NO_TEXT.search(first):
        return Looks.BINARY
    start = first.removeprefix(_UNICODE[0])
    if _PAGE.match(start):
        return Looks.PAGE
    return Looks.PLAYLIST if _PLAYLIST.match(start) else Looks.TEXT
