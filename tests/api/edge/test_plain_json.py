"""JSON that is read and JSON that is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError, fields

from api.edge.plain_json import DEEPEST, MOST_DIGITS, NotPlain, is_deeper, is_plain, read_json
from api.schemas.fields import MomentField, TypedSchema

_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_values = st.recursive(
    _scalars, lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3), max_leaves=20
)


@given(_values)
def test_what_python_writes_is_read(value: object) -> None:
    assert read_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "9" * 5000,
        "-" + "9" * 5000,
        "9" * (MOST_DIGITS + 1),
        '{"a": [' + "1" * 100_000 + "]}",
        "1e999",
        "-1e999",
        "9" * 5000 + ".5",
        "NaN",
        "Infinity",
        "-Infinity",
        '{"a": NaN}',
        "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1),
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
    ],
)
def test_what_somebody_could_not_take_again_is_refused(text: str) -> None:
    with pytest.raises(NotPlain):
        read_json(text)


@pytest.mark.parametrize("text", ["", "{", "[1,]", "nan", "0x1", "'a'", "01", "{'a': 1}", "1 2"])
def test_what_is_no_json_is_no_json(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        read_json(text)


def test_the_limits_themselves_are_taken() -> None:
    assert read_json("9" * MOST_DIGITS) == int("9" * MOST_DIGITS)
    assert read_json("[" * DEEPEST + "]" * DEEPEST) is not None
    assert not is_deeper({"a": [1]}, 2)
    assert is_deeper({"a": [1]}, 1)


@pytest.mark.parametrize("value", ["\0", "a\ud800", {"\udfff": 1}, [[{"a": ["\0"]}]], ("a", "\0")])
def test_texts_that_are_not_plain_are_found_wherever_they_are(value: object) -> None:
    assert not is_plain(value)
    assert is_plain(["a", {"é": "\U0001f600"}, 1, None])


class _Form(TypedSchema):
    cleaned = ("name",)

    name = fields.String()
    model = fields.String()
    anything = fields.Raw()
    at = MomentField()


@pytest.mark.parametrize("bad", [{"model": "\0"}, {"anything": {"deep": ["\ud800"]}}, {"model": "a", "anything": "\0"}])
def test_a_form_of_any_kind_takes_plain_texts_only(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        _Form().load(bad)
    assert list(caught.value.messages_dict) == [name for name, value in bad.items() if not is_plain(value)]
    assert _Form().load({"name": "\0", "model": "é"}) == {"name": "\0", "model": "é"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02T00:00:00Z", 86400.0),
        ("0001-01-01T00:00:00+14:00", 0.0),
        ("0001-01-01T00:00:00Z", 0.0),
        ("9999-12-31T23:59:59-14:00", 253370764800.0),
    ],
)
def test_a_moment_is_one_that_can_be_shown(text: str, seconds: float) -> None:
    assert _Form().load({"at": text}) == {"at": seconds}
