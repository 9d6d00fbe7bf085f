"""The JSON schema of a catalog file, for editors. A copy of it lies beside the bundled catalog."""

from __future__ import annotations

from typing import Any

from stemsvc.models.catalog import CONFIGURED, SECTIONS
from stemsvc.models.entry import ModelEntry
from stemsvc.models.generators import GeneratorEntry
from stemsvc.models.presets import Preset


def schema() -> dict[str, Any]:
    """The schema. What a config, the parts or a key of the file may say is not required of an entry."""
    entry = ModelEntry.model_json_schema()
    kinds = entry.pop("$defs")
    del entry["properties"]["name"]
    for said in ("name", *CONFIGURED, "licence", "files"):
        entry["required"].remove(said)
    entry["properties"]["config"] = {
        "description": "sections of MSST's YAML or UVR's parameters, or the path of such a file from here",
        "anyOf": [{"type": "object"}, {"type": "string"}],
    }
    preset = Preset.model_json_schema()
    kinds |= preset.pop("$defs")
    del preset["properties"]["name"]
    preset["required"].remove("name")
    generator = GeneratorEntry.model_json_schema()
    kinds |= generator.pop("$defs")
    del generator["properties"]["name"]
    generator["required"].remove("name")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "stemsvc's model catalog",
        "type": "object",
        "anyOf": [{"required": [section]} for section in sorted(SECTIONS)],
        "additionalProperties": False,
        "properties": {
            "models": {"type": "object", "additionalProperties": {"$ref": "#/$defs/ModelEntry"}},
            "presets": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Preset"}},
            "generators": {"type": "object", "additionalProperties": {"$ref": "#/$defs/GeneratorEntry"}},
        },
        "$defs": {**kinds, "ModelEntry": entry, "Preset": preset, "GeneratorEntry": generator},
    }
