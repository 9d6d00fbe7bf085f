"""Fields that marshmallow lacks: lists of names, a client's own JSON object, moments in time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields, pre_load

from api.edge.plain_json import NotPlain, is_deeper, is_plain, read_json

UNPLAIN = "it has a NUL or half a surrogate pair"
LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
MOST_METADATA = 4096  # bytes
DEEPEST_METADATA = 20


def names_pattern(names: Iterable[str]) -> str:
    """Names separated by commas, or nothing, as ECMA-262 has patterns."""
    each = "|".join(map(re.escape, names))
    return f"^(({each})(, *({each}))*)?$"


def template_pattern(*names: str) -> str:
    """A template with these names in braces, one of them {stem}, or nothing, as ECMA-262 has patterns."""
    part = rf"([^{{}}]|\{{({'|'.join(names)})\}})*"
    return rf"^({part}\{{stem\}}{part})?$"


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
            found = read_json(text) if text else {}
        except NotPlain as error:
            raise ValidationError(str(error)) from error
        except ValueError as error:
            raise ValidationError("not JSON") from error
        if not isinstance(found, dict):
            raise ValidationError("not a JSON object")
        if is_deeper(found, DEEPEST_METADATA):
            raise ValidationError(f"nested more than {DEEPEST_METADATA} levels deep")
        if not is_plain(found):
            raise ValidationError(UNPLAIN)
        return found


class JsonNested(fields.Nested):
    """An object of another schema, or a list of such with `many`. In forms its text is JSON."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, partial: Any = None, **kwargs: Any) -> Any:
        if isinstance(value, str):
            value = _from_text(value)
        return super()._deserialize(value, attr, data, partial, **kwargs)


class JsonObject(fields.Dict):
    """An object. In forms its text is JSON."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        given = _from_text(value) if isinstance(value, str) else value
        return super()._deserialize(given, attr, data, **kwargs)  # type: ignore[no-untyped-call]  # marshmallow's


class JsonList(fields.List[Any]):
    """A list of objects. In forms the text of a field is JSON: one of the objects, or a list of them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            parts = [_from_text(each) for each in value]
            value = [each for part in parts for each in (part if isinstance(part, list) else [part])]
        found: list[Any] = super()._deserialize(value, attr, data, **kwargs)
        return found


def _from_text(text: str) -> Any:
    try:
        found = read_json(text)
    except NotPlain as error:
        raise ValidationError(str(error)) from error
    except ValueError as error:
        raise ValidationError("not JSON") from error
    if not is_plain(found):
        raise ValidationError(UNPLAIN)
    return found


class MomentField(fields.AwareDateTime):
    """A moment in ISO 8601, loaded as seconds since the epoch. It is in UTC if it names no zone.

    Nothing happened before 1970 nor after 9998, so an earlier or later moment means that one: some clients write the
    year 1 for "always", and with a zone it may lie before all that a `datetime` can hold.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return min(LATEST, max(0.0, super()._deserialize(value, attr, data, **kwargs).timestamp()))


class TypedSchema(Schema):
    """A schema that takes no text for a number or boolean in JSON, and drops nulls. In forms every value is text.

    No text may have a NUL or half a surrogate pair, except in the fields named in `cleaned`: a view cleans or reads
    those by itself.
    """

    cleaned: ClassVar[tuple[str, ...]] = ()

    @pre_load
    def _check_types(self, data: Any, **kwargs: Any) -> Any:
        named = data if isinstance(data, Mapping) else {}
        if unplain := [name for name in named if name not in self.cleaned and not is_plain(named[name])]:
            raise ValidationError({name: [UNPLAIN] for name in unplain})
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
