"""Kinds become tools by the service's own description."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from stemsvc.assistants.brief import MOST_ITEMS, MOST_TEXT, clean, plain
from stemsvc.assistants.schemas import kind_tools
from stemsvc.kinds import registry

DESCRIPTION: dict[str, Any] = json.loads((Path(__file__).parents[3] / "api" / "openapi.json").read_text())


def test_each_kind_of_the_service_is_a_tool_with_its_own_form() -> None:
    tools = {each.name: each for each in kind_tools(DESCRIPTION)}

    assert set(tools) == set(registry.installed())
    separate = tools["separate"]
    assert separate.path == "/v1/separations:from-source"
    assert separate.schema["properties"]["format"]["enum"][:2] == ["wav", "flac"]
    assert "upload_id" in separate.schema["properties"]["source"]["properties"]
    for tool in tools.values():
        assert "$ref" not in json.dumps(tool.schema)
        assert not {"file", "webhook_url", "webhook_events"} & set(tool.schema["properties"])
        assert tool.schema["additionalProperties"] is False
        assert tool.words


def test_a_new_kind_appears_by_itself() -> None:
    more = copy.deepcopy(DESCRIPTION)
    form = {"type": "object", "properties": {"source": {"$ref": "#/components/schemas/Round"}}, "required": ["source"]}
    more["components"]["schemas"] |= {"Form": form, "Round": {"properties": {"again": {"$ref": "#/c/s/Round"}}}}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Form"}}}}
    call = {"x-kind": "acme/reverse", "summary": "Turn a song round", "requestBody": body}
    more["paths"]["/v1/reversals:from-source"] = {"post": call}

    found = next(each for each in kind_tools(more) if each.path == "/v1/reversals:from-source")

    assert (found.name, found.words) == ("acme_reverse", "Turn a song round")
    assert found.schema["required"] == ["source"]  # and a form that contains itself ends somewhere


def test_texts_of_others_are_short_and_steer_nothing() -> None:
    assert clean("a\x1b[2Jb\u202ec\nd") == "a [2Jb c d"
    assert len(clean("x" * 10_000)) == MOST_TEXT
    found = plain({"url": "https://a.example/" + "x" * 2000, "many": list(range(1000)), "deep": {"a\n": ["b\r"]}})
    assert len(found["url"]) > 2000
    assert found["many"][-1] == f"and {1000 - MOST_ITEMS} more"
    assert found["deep"] == {"a ": ["b "]}
