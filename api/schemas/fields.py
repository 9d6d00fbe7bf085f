"""Fields that marshmallow lacks: lists of names, a client's own JSON object, moments in time."""

from __future__ import annotations

import json
import math
from datetime import UTC
from typing import Any

from marshmallow import Schema, ValidationError, fields, pre_load

MOST_METADATA = 4096  # bytes
DEEPEST_METADATA = 20


class NamesField(fields.Field[tuple[str, ...]]):
    """A list of names: separated by commas, in several form fields of the same name, or in a JSON list."""

    is_multiple = True  # makes webargs pass all form fields of this name

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:
        parts = [value] if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
            raise ValidationError("give names, separated by commas or as a list")
        names = (name.strip() for part in parts for name in part.split(","))
        return tuple(dict.fromkeys(filter(None, names)))


class MetadataField(fields.Field[dict[str, Any]]):
    """The client's own JSON object, of at most `MOST_METADATA` bytes and `DEEPEST_METADATA` levels."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        text = value if isinstance(value, str) else json.dumps(value)  # a JSON body has it as an object
        if len(text.encode(errors="replace")) > MOST_METADATA:
            raise ValidationError(f"longer than {MOST_METADATA} bytes")
        try:
            found = json.loads(text, parse_constant=_no_number, parse_float=_finite) if text else {}
        except (ValueError, RecursionError) as error:
            raise ValidationError("not JSON") from error
        if not isinstance(found, dict):
            raise ValidationError("not a JSON object")
        _check_plain(found)
        return found


def _check_plain(value: Any) -> None:
    """Refuse what some databases and readers can't take: deep nesting, NUL, half surrogates.

    It does not recurse, because Python's recursion has a limit.
    """
    level = [value]
    for _ in range(DEEPEST_METADATA):
        inner = [each for each in level if isinstance(each, dict | list)]
        level = [part for each in inner for part in ([*each, *each.values()] if isinstance(each, dict) else each)]
        if any("\0" in text or not _is_text(text) for text in level if isinstance(text, str)):
            raise ValidationError("it has a NUL or half a surrogate pair")
    if any(isinstance(each, dict | list) for each in level):
        raise ValidationError(f"nested more than {DEEPEST_METADATA} levels deep")


def _is_text(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):  # 1e999 would become Infinity, which is not JSON
        raise ValueError(f"{text} is too large")
    return number


class MomentField(fields.AwareDateTime):
    """A moment in ISO 8601, loaded as seconds since the epoch. It is in UTC if it names no zone."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return super()._deserialize(value, attr, data, **kwargs).timestamp()


class TypedSchema(Schema):
    """A schema that takes no text for a number or boolean in JSON, and drops nulls. In forms every value is text."""

    @pre_load
    def _check_types(self, data: Any, **kwargs: Any) -> Any:
        if not isinstance(data, dict):  # a form
            return data
        data = {name: value for name, value in data.items() if value is not None}
        wrong = {name: ["Not a valid type."] for name, value in data.items() if not self._fits(name, value)}
        if wrong:
            raise ValidationError(wrong)
        return data

    def _fits(self, name: str, value: Any) -> bool:
        field = self.load_fields.get(name)
        if field is None:
            return True
        if isinstance(field, fields.Boolean):
            return isinstance(value, bool)
        if isinstance(field, fields.Integer):
            return isinstance(value, int) and not isinstance(value, bool)
        if isinstance(field, fields.Float):
            return isinstance(value, int | float) and not isinstance(value, bool)
        return True
