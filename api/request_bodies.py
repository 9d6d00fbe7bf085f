"""The two bodies of a kind's calls in the OpenAPI document: a form with files and text, and JSON with typed values."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, TypeVar

from marshmallow import Schema
from marshmallow.fields import Field, Nested
from marshmallow.validate import Length

from api.schemas.fields import JsonNested, NamesField
from api.schemas.forms import KindForm, SourceForm
from api.schemas.kinds.registry import forms

F = TypeVar("F", bound=Field[Any])


def request_of(form: str) -> str:
    """The name of a form's JSON body."""
    return form.removesuffix("Form") + "Request"


def add_bodies(schemas: dict[str, Any], of: type[KindForm]) -> None:
    """Change the schema of the kind's form into that of a multipart form, and add that of the JSON body."""
    name = of.__name__
    form = schemas[name]
    body = deepcopy(form)
    if name == "JobForm":
        body["description"] = "A track, named by its source, and what to make of it."
    required = form.get("required", [])
    body["required"] = [*(["source"] if "source" in body["properties"] else []), *required]
    body["properties"].pop("file", None)
    if of.several:
        form["required"] = required
    else:
        del form["properties"]["source"]
        form["required"] = ["file", *required]
    form["properties"]["metadata"]["description"] += ", as text"
    body["properties"]["metadata"] |= {"type": "object", "example": {"album": 7}}
    for listed in _fields_of(of, NamesField):
        form["properties"][listed]["default"] = ""
        one = body["properties"][listed]
        example = one.get("example", "").split(",") if one.get("example") else []
        one |= {"type": "array", "items": {"type": "string"}, "default": [], "example": example}
    for each, field in _fields_of(of, JsonNested).items():
        if each in form["properties"]:
            form["properties"][each] = _as_text(field)
        body["properties"][each] = _as_json(field, each in body["required"])
    form["additionalProperties"], body["additionalProperties"] = of.several, False
    if not form["required"]:
        del form["required"]
    schemas[request_of(name)] = body
    let_be_null(body)


def _as_text(field: JsonNested) -> dict[str, Any]:
    """A nested field in a form."""
    words = field.metadata.get("description", "where the track is, in place of `file`")
    shape = "a list of `{}`" if field.many else "a `{}`"
    return {"type": "string", "description": f"{words}; {shape.format(type(field.schema).__name__)}, as JSON text"}


def _as_json(field: JsonNested, required: bool) -> dict[str, Any]:
    """The same in a JSON body."""
    ref: dict[str, Any] = {"$ref": f"#/components/schemas/{type(field.schema).__name__}"}
    described = {"description": field.metadata["description"]} if "description" in field.metadata else {}
    if field.many:
        return {"type": "array", "items": ref, **described, **_bounds(field)}
    return ref if required else {"anyOf": [ref, {"type": "null"}], **described}


def _bounds(field: JsonNested) -> dict[str, int]:
    """How many items a list of objects may have."""
    found: dict[str, int | None] = {}
    for each in field.validators:
        if isinstance(each, Length):
            found |= {"minItems": each.min, "maxItems": each.max}
    return {name: most for name, most in found.items() if most is not None}


def _fields_of(of: type[Schema], type: type[F]) -> dict[str, F]:
    """The fields that a schema takes and that are of a type, by the names that clients use."""
    taken = of().fields.items()
    return {field.data_key or name: field for name, field in taken if isinstance(field, type)}


def nested_forms() -> list[str]:
    """Names of the schemas within the forms of kinds, besides that of a source."""
    found: dict[str, None] = {}
    waiting: list[type[Schema]] = [*forms().values()]
    while waiting:
        for field in _fields_of(waiting.pop(), Nested).values():
            schema = type(field.schema)
            if schema is not SourceForm and schema.__name__ not in found:
                found[schema.__name__] = None
                waiting.append(schema)
    return [*found]


def let_be_null(schema: dict[str, Any]) -> None:
    """Allow null for each optional field: generated clients send null for a field that was not given."""
    for name, of in schema["properties"].items():
        if name in schema.get("required", ()) or "type" not in of:
            continue
        types = of["type"] if isinstance(of["type"], list) else [of["type"]]
        of["type"] = [*types, *([] if "null" in types else ["null"])]
        if "enum" in of:
            of["enum"] = [*of["enum"], None]
