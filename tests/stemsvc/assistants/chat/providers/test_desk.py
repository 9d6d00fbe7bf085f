"""What calls of tools bring: the same projects as the rules' edits, and nothing that a form or a plan refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from stemsvc.assistants.chat.context import Context
from stemsvc.assistants.chat.intents import Intent
from stemsvc.assistants.chat.project import Project, plan
from stemsvc.assistants.chat.providers.desk import EDITS, Desk
from stemsvc.assistants.chat.providers.talk import ToolCall
from stemsvc.assistants.chat.providers.tools import ACTIONS, tools_of
from stemsvc.assistants.schemas import kind_tools
from stemsvc.errors import BadWorkflow

DESCRIPTION: dict[str, Any] = json.loads((Path(__file__).parents[5] / "api" / "openapi.json").read_text())
TOOLS = tools_of(kind_tools(DESCRIPTION))
BEAT = Project(music={"prompt": "a beat", "genre": "trap", "bpm": 140, "seed": 0})
SONG = {"upload_id": "a" * 32}


def desk(*versions: Project, pending: Project | None = None, song: Mapping[str, Any] | None = None) -> Desk:
    context = Context(versions, len(versions) - 1, song, pending=pending)
    return Desk("a trap beat", context, TOOLS, lambda project: {"total_seconds": 3})


def call(found: Desk, name: str, **arguments: Any) -> dict[str, Any]:
    return found.call(ToolCall("1", name, arguments))


def refused(answer: Mapping[str, Any]) -> str:
    return str(answer["error"]["code"])


def test_each_tool_has_a_schema_of_the_kinds_own_and_something_to_do() -> None:
    assert {each.name for each in TOOLS} == {*EDITS, *ACTIONS}
    for each in TOOLS:
        Draft202012Validator.check_schema(each.schema)
        assert each.schema["additionalProperties"] is False
    generate = next(each for each in TOOLS if each.name == "generate").schema["properties"]
    assert (generate["bpm"]["minimum"], generate["bpm"]["maximum"]) == (60, 200)


def test_no_tool_takes_an_address_a_file_or_runs_anything() -> None:
    told = json.dumps([each.schema for each in TOOLS])
    for word in ("url", "upload_id", "job_id", "webhook", "filename", "file", "metadata", "source", "priority"):
        assert f'"{word}"' not in told, word
    assert not {"confirm", "run", "stop", "delete", "reset", "cancel"} & {each.name for each in TOOLS}


def test_calls_make_what_the_rules_make() -> None:
    found = desk()
    assert call(found, "generate", genre="trap", bpm=140, key="C minor")["planned"] == "trap, 140 bpm, C minor"
    assert call(found, "mix", tracks=[{"stem": "drums", "mute": True}, {"stem": "bass", "gain_db": 3}])["seconds"] == 3
    call(found, "master", preset="club")
    call(found, "set_format", format="mp3")
    heard = found.understanding(False)

    assert heard.context.pending is not None
    steps = plan(heard.context.pending)["steps"]
    assert [each["do"] for each in steps] == ["generate", "mix", "master"]
    assert steps[0]["with"]["prompt"] == "a trap beat"
    assert [each["source"] for each in steps[1]["with"]["tracks"]] == ["make.bass", "make.other", "make.vocals"]
    assert steps[2]["with"] == {"preset": "club", "format": "mp3"}

    call(found, "mix", tracks=[{"stem": "drums", "mute": False}, {"stem": "bass", "gain_db": None}])
    assert found.project.tracks == {}
    call(found, "change_piece", bpm=None, mood="dark")
    assert found.project.music == {
        "prompt": "a trap beat",
        "seed": 0,
        "genre": "trap",
        "key": "C minor",
        "mood": "dark",
    }


def test_a_models_own_words_name_no_file() -> None:
    found = desk()
    call(found, "generate", prompt="../../etc/passwd")
    assert found.project.music == {"prompt": "../../etc/passwd", "seed": 0, "name": "a trap beat"}
    found = desk(BEAT)
    call(found, "change_piece", prompt="http://evil.example")
    assert found.project.music is not None
    assert found.project.music["name"] == "a beat"


def test_a_new_piece_and_a_variation_have_seeds_of_their_own() -> None:
    found = desk(BEAT)
    call(found, "vary_piece", part="drums")
    assert found.project.changes == (("drums", 1),)
    call(found, "generate", genre="house")
    assert found.project.music is not None
    assert found.project.music["seed"] == 2
    assert not found.project.changes


def test_a_song_is_split_written_down_and_exported() -> None:
    found = desk(song=SONG)
    call(found, "separate", stems=["vocals", "guitar"])
    call(found, "transcribe", stems=["bass"], quantise=None)
    call(found, "export", targets=["reaper"])
    call(found, "analyze")
    assert [each["do"] for each in plan(found.project)["steps"]] == ["separate", "transcribe", "export", "analyze"]
    assert refused(call(found, "change_piece", bpm=100)) == "unclear"


def test_actions_are_what_the_rules_do() -> None:
    found = desk(BEAT, BEAT.track("drums", mute=True))
    assert call(found, "undo") == {"done": True}
    assert call(found, "play") == {"done": True}
    heard = found.understanding(True)
    assert (heard.context.at, heard.context.pending, heard.actions) == (0, None, (Intent.UNDO, Intent.PLAY))
    assert refused(call(found, "undo")) == "unclear"
    assert refused(call(found, "use_version", version=9)) == "unclear"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("generate", {"bpm": 1000}),
        ("generate", {"genre": "polka-metal"}),
        ("generate", {"source": {"url": "http://169.254.169.254/"}}),
        ("generate", {"webhook_url": "http://evil.example/"}),
        ("generate", {"prompt": "x" * 100_000}),
        ("generate", {"bpm": "fast"}),
        ("generate", {"prompt": "a\0b"}),
        ("generate", {"prompt": "a\ud800"}),
        ("generate", {"prompt": "a\u202eb"}),
        ("mix", {"tracks": [{"stem": "../../etc/passwd", "mute": True}]}),
        ("mix", {"tracks": [{"stem": "drums", "sidechain": {"from": "file:///etc/passwd"}}]}),
        ("mix", {"tracks": [{"stem": "drums", "eq": {"low": 1e9}}]}),
        ("separate", {"stems": ["$(id)"]}),
        ("export", {"targets": ["reaper"], "title": "../x"}),
        ("set_format", {"format": "exe"}),
        ("vary_piece", {}),
        ("use_version", {"version": 10**30}),
        ("use_version", {"version": True}),
    ],
)
def test_what_the_schema_refuses_changes_nothing(name: str, arguments: dict[str, Any]) -> None:
    found = desk(BEAT, BEAT)
    code = refused(call(found, name, **arguments))
    assert code in ("bad_arguments", "unclear")
    assert found.understanding(False).context.pending is None
    assert found.project == BEAT


@pytest.mark.parametrize("name", ["confirm", "run", "delete", "__init__", "", "generate\u202e", "x" * 10_000])
def test_an_unknown_tool_is_told_in_short(name: str) -> None:
    found = desk(BEAT)
    answer = call(found, name)
    assert (refused(answer), len(json.dumps(answer)) < 600) == ("unknown_tool", True)
    assert found.call(ToolCall("1", "generate", None))["error"]["code"] == "bad_arguments"


def test_what_could_not_be_accepted_changes_nothing() -> None:
    def check(project: Project) -> Mapping[str, Any]:
        raise BadWorkflow("this key may not")

    found = Desk("hello", Context((BEAT,), 0), TOOLS, check)
    assert call(found, "vary_piece", part="drums") == {"error": {"code": "bad_workflow", "detail": "this key may not"}}
    heard = found.understanding(False)
    assert (heard.context.pending, heard.context.seed) == (None, 0)


def test_stems_that_a_piece_has_not_are_not_mixed() -> None:
    assert refused(call(desk(BEAT), "mix", tracks=[{"stem": "guitar", "mute": True}])) == "unclear"
    assert refused(call(desk(), "mix", tracks=[{"stem": "drums", "mute": True}])) == "unclear"
