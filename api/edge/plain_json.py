"""Reads clients' JSON, and refuses what some database, reader or language could not take again.

RFC 8259 lets a reader set limits on size, depth and numbers, and says that only numbers in the range of a double are
interoperable (sections 6 and 9).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

DEEPEST = 64  # levels of a body; far below Python's recursion limit, so that what was read can be written again
MOST_DIGITS = 308  # of a whole number; more are beyond the range of a double


class NotPlain(ValueError):
    """Raised for JSON that is well-formed and that we don't take; its text says why."""


def read_json(text: str) -> Any:
    """The value of a JSON text. Raises `json.JSONDecodeError` if it is not JSON, and `NotPlain`."""
    try:
        found = json.loads(text, parse_constant=_no_number, parse_float=_finite, parse_int=_whole)
    except RecursionError as error:
        raise NotPlain("nested too deep") from error
    if is_deeper(found, DEEPEST):
        raise NotPlain(f"nested more than {DEEPEST} levels deep")
    return found


def is_deeper(value: Any, most: int) -> bool:
    """Whether lists and objects are nested more than `most` levels deep."""
    for depth, level in enumerate(_levels(value)):
        if any(isinstance(each, dict | list) for each in level):
            if depth >= most:
                return True
        else:
            return False
    return False


def is_plain(value: Any) -> bool:
    """Whether no text in the value, however deep, has a NUL or half a surrogate pair."""
    return all(_is_text(each) for level in _levels(value) for each in level if isinstance(each, str))


def _levels(value: Any) -> Iterator[list[Any]]:
    """The value, what its lists and objects hold, what those hold, and so on; without recursion, which has a limit."""
    level = [value]
    while level:
        yield level
        level = [part for each in level for part in _parts(each)]


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list | tuple) else ()


def _is_text(text: str) -> bool:
    # PostgreSQL takes no NUL, and UTF-8 has no surrogates
    return not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text)


def _no_number(name: str) -> None:
    raise NotPlain(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):  # 1e999 would become Infinity, which is not JSON
        raise NotPlain("a number is too large")
    return number


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS:  # Python converts at most 4300 digits, and takes long for as many
        raise NotPlain("a number is too large")
    return int(text)
