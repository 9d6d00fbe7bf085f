"""The file name in a host's `Content-Disposition`."""

from __future__ import annotations

from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import Any

HEADER = "Content-Disposition"


def filename_of(value: str) -> str:
    """The name that the header's `value` gives, as it was sent; empty where it gives none.

    `filename*` (RFC 5987, and the parts of RFC 2231) goes before `filename`, wherever it stands (RFC 6266, 4.3).
    Encoded words (RFC 2047) belong to mail, but some hosts send them.
    """
    message = Message()
    message[HEADER] = value.replace("\r", " ").replace("\n", " ")
    # the types say text, but what is extended comes as (charset, language, text)
    names: list[Any] = [given for name, given in message.get_params([], HEADER) if name.lower() == "filename"]
    extended = [given for given in names if isinstance(given, tuple)]
    name = collapse_rfc2231_value((extended or names or [""])[0])
    try:
        return str(make_header(decode_header(name))) if name.startswith("=?") else name
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        return name
