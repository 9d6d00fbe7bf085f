"""Texts and JSON as every database can hold them.

Details of errors quote strangers: media files, web pages, receivers of webhooks. PostgreSQL holds no NUL, UTF-8 has no
halves of surrogate pairs, and a job whose end can't be written would be tried again and again.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import sqlalchemy as sa

_UNPLAIN = re.compile("[\0\ud800-\udfff]")
# What JSON has of these, and of numbers that are none. It may find too much: then the value stays as it is.
_SUSPECT = re.compile(r"\\u(0000|d[89a-f])|NaN|Infinity", re.IGNORECASE)


def plain(text: str) -> str:
    """The text with U+FFFD in place of each NUL and each half of a surrogate pair."""
    return _UNPLAIN.sub("\ufffd", text)


def plain_json(value: Any) -> str:
    """The JSON of a value whose texts are made plain, with null in place of NaN and the infinities.

    PostgreSQL stores a text with an escaped NUL, but can't look into it; it does not store NaN.
    """
    text = json.dumps(value)
    return json.dumps(_plain_value(value)) if _SUSPECT.search(text) else text


def _plain_value(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {_plain_value(name): _plain_value(each) for name, each in value.items()}
    return [_plain_value(each) for each in value] if isinstance(value, list | tuple) else value


class PlainText(sa.types.TypeDecorator[str]):
    """A column of texts that are made plain when they are written."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """See `plain`."""
        return None if value is None else plain(value)
