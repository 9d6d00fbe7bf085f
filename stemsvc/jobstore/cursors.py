"""Cursors of pages that list rows by their time, newest first."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Any

import sqlalchemy as sa

from stemsvc.errors import BadCursor


def write(at: float, row_id: str) -> str:
    """The cursor of what comes after the row of that time and id."""
    return base64.urlsafe_b64encode(struct.pack(">d", at) + row_id.encode()).decode().rstrip("=")


def after(cursor: str, at: sa.ColumnElement[Any], row_id: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """The condition that a row, by its time and id, comes after the cursor. Raises `UsageError` `bad_cursor`."""
    moment, last = _read(cursor)
    return sa.or_(at < moment, sa.and_(at == moment, row_id < last))


def _read(cursor: str) -> tuple[float, str]:
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        at: float = struct.unpack(">d", data[:8])[0]
        row_id = data[8:].decode("ascii")
    except (ValueError, binascii.Error, struct.error) as error:
        raise BadCursor("take `next_cursor` from the page before") from error
    if not row_id.replace("_", "").isalnum() or at != at or abs(at) == float("inf"):
        raise BadCursor("take `next_cursor` from the page before")
    return at, row_id
