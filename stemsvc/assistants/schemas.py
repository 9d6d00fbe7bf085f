"""Tools' schemas: those of kinds come from the service's description, those of the other tools stand here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KIND = "x-kind"  # names the kind whose jobs a call makes, of JSON
# An assistant has no use for them, and a song's title must not talk it into sending events elsewhere.
KEPT_BACK = ("file", "webhook_url", "webhook_events")
DEEPEST = 6  # schemas that refer to each other
MOST_NAME = 64
ID = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
SOURCE = {
    "type": "object",
    "description": "where a song is: {url}, {upload_id}, or {job_id, output}, a file that an earlier job made",
    "properties": {
        "url": {"type": "string", "maxLength": 2000},
        "upload_id": {"type": "string", "maxLength": 100},
        "job_id": ID,
        "output": {"type": "string", "maxLength": 200},
    },
    "minProperties": 1,
    "additionalProperties": False,
}


def whole(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    """The schema of an object that has these properties and no other."""
    found = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**found, "required": list(required)} if required else found


@dataclass(frozen=True)
class KindTool:
    """A kind of job as a tool: its name, its words, where its jobs are sent, and its form."""

    name: str
    words: str
    path: str
    schema: dict[str, Any]


def kind_tools(description: Mapping[str, Any]) -> list[KindTool]:
    """A tool for each kind that the service has."""
    words = {tag["name"]: tag.get("description", "") for tag in description.get("tags", ())}
    found = []
    for path, calls in description.get("paths", {}).items():
        call = calls.get("post")
        if not call or KIND not in call:
            continue
        kind = str(call[KIND])
        body = call["requestBody"]["content"]["application/json"]["schema"]
        form = _inlined(body, description, DEEPEST)
        name = re.sub(r"[^A-Za-z0-9_-]", "_", kind)[:MOST_NAME]
        found.append(KindTool(name, words.get(kind) or str(call.get("summary", kind)), path, _closed(form)))
    return found


def _closed(form: dict[str, Any]) -> dict[str, Any]:
    """The form without what is kept back, and refusing what it does not know."""
    properties = {name: each for name, each in form.get("properties", {}).items() if name not in KEPT_BACK}
    required = [name for name in form.get("required", ()) if name in properties]
    return whole(properties, *required)


def _inlined(value: Any, description: Mapping[str, Any], depth: int) -> Any:
    """A schema with what it refers to in its place, and without examples: the description's are whole requests.

    `depth` is how many references may stand within each other: a schema may refer to itself.
    """
    if isinstance(value, list):
        return [_inlined(each, description, depth) for each in value]
    if not isinstance(value, dict):
        return value
    if (ref := value.get("$ref")) is not None:
        if depth <= 0:
            return {}
        target = description.get("components", {}).get("schemas", {}).get(str(ref).rsplit("/", 1)[-1], {})
        beside = {name: each for name, each in value.items() if name != "$ref"}
        return {**_inlined(target, description, depth - 1), **beside}
    return {name: _inlined(each, description, depth) for name, each in value.items() if name != "example"}
