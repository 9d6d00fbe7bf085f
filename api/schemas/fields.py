"""Fields that marshmallow lacks: names in three forms, a client's own JSON, moments."""

from __future__ import annotations

import json
import math
from datetime import UTC
from typing import Any

from marshmallow import Schema, ValidationError, fields, pre_load

MOST_METADATA = 4096  # bytes
DEEPEST_METADATA = 20


class NamesField(fields.Field[tuple[str, ...]]):
    """Names, separated by commas, in form fields of their own, or in a JSON list."""

    is_multiple = True  # what webargs looks at to hand over every field of the name

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:
        parts = [value] if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
            raise ValidationError("names, separated by commas or as a list")
        names = (name.strip() for part in parts for name in part.split(","))
        return tuple(dict.fromkeys(filter(None, names)))


class MetadataField(fields.Field[dict[str, Any]]):
    """A small JSON object of the client's own."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        text = value if isinstance(value, str) else json.dumps(value)  # a JSON body has it as an object
        if len(text.encode(errors="replace")) > MOST_METADATA:
            raise ValidationError(f"longer than {MOST_METADATA} bytes")
        try:
            found = json.loads(text, parse_constant=_no_number, parse_float=_finite) if text else {}
        except (ValueError, RecursionError) as error:
            raise ValidationError("no JSON") from error
        if not isinstance(found, dict):
            raise ValidationError("no JSON object")
        _check_plain(found)
        return found


def _check_plain(value: Any) -> None:
    """Refuse what not every database and reader takes: depth, NUL, half surrogates. Without recursion, which ends."""
    level = [value]
    for _ in range(DEEPEST_METADATA):
        inner = [each for each in level if isinstance(each, dict | list)]
        level = [part for each in inner for part in ([*each, *each.values()] if isinstance(each, dict) else each)]
        if any("\0" in text or not _is_text(text) for text in level if isinstance(text, str)):
            raise ValidationError("NUL or half a surrogate in it")
    if any(isinstance(each, dict | list) for each in level):
        raise ValidationError(f"nested more than {DEEPEST_METADATA} deep")


def _is_text(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):  # 1e999, which would come back as no JSON
        raise ValueError(f"{text} is too large")
    return number


class MomentField(fields.AwareDateTime):
    """A moment in ISO 8601, in UTC where it names no zone, as seconds since the epoch."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return super()._deserialize(value, attr, data, **kwargs).timestamp()


class TypedSchema(Schema):
    """A schema that takes numbers and booleans from JSON as such only, and null as nothing. In forms all is text."""

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
