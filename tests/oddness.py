"""Values that a form's field takes and that are not the one it has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from marshmallow import fields, validate

# For texts and lists of texts whose meaning their schema can't say, likely ones; a kind refuses what it can't read.
TEXTS = ("demo", "htdemucs", "vocals", "A minor", "3/4", "lofi", "calm", "en", "#009E73", "reaper", "verse", "odd name")


def other_value(field: fields.Field[Any], now: Any) -> Iterator[Any]:
    """Other values than `now`, the likely ones first."""
    for value in _candidates(field, now):
        if value != now:
            yield value


def _candidates(field: fields.Field[Any], now: Any) -> Iterator[Any]:
    yield from _choices(field)
    if isinstance(field, fields.Boolean):
        yield not now
    elif isinstance(field, fields.Number):
        yield from _numbers(field, now)
    elif isinstance(field, fields.String):
        yield from TEXTS
    else:  # names
        for text in TEXTS:
            yield [text]


def _choices(field: fields.Field[Any]) -> Iterator[Any]:
    for each in field.validators:
        if isinstance(each, validate.OneOf):
            yield from each.choices
    yield from field.metadata.get("enum", ())


def _numbers(field: fields.Field[Any], now: Any) -> Iterator[Any]:
    least, most = field.metadata.get("minimum"), field.metadata.get("maximum")
    for each in field.validators:
        if isinstance(each, validate.Range):
            least, most = each.min if least is None else least, each.max if most is None else most
    whole = isinstance(field, fields.Integer)
    for value in (now, 1, 0.5, 2, 90, least, most):
        if value is not None:
            for step in (1, 0.125, -0.125, 0):
                yield int(value + step) if whole else float(value + step)
