"""The tools of language models: what the rules do, with the kinds' own schemas.

A kind's tool has the fields that are named here and that the kind's form has. None of them is a path, an address, a
file's name or a part of a query. There is no tool that runs a plan, stops work or erases: only people's own words do.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stemsvc.assistants.chat.entities import STEM_WORDS
from stemsvc.assistants.chat.intents import Intent
from stemsvc.assistants.chat.providers.talk import ToolSpec
from stemsvc.assistants.schemas import KindTool, whole
from stemsvc.kinds.generate.params import CHANGES

GENERATE, CHANGE, VARY, MIX, UNMIX = "generate", "change_piece", "vary_piece", "mix", "remove_mix"
MASTER, UNMASTER, SEPARATE, FORMAT = "master", "remove_master", "separate", "set_format"
ANALYZE, TRANSCRIBE, EXPORT = "analyze", "transcribe", "export"
FIELDS: Mapping[str, Sequence[str]] = {
    GENERATE: ("prompt", "genre", "bpm", "key", "mood", "duration", "seed", "form", "model", "candidates"),
    MIX: ("gain_db", "normalise", "profile"),
    MASTER: ("preset", "intensity", "loudness", "ceiling_db", "low_db", "mid_db", "high_db", "compression",
             "saturation", "width"),
    ANALYZE: (),
    TRANSCRIBE: ("quantise", "strength", "bpm", "key", "sensitivity"),
    EXPORT: ("targets", "codec", "bars"),
}  # fmt: skip
OF_TRACK = ("gain_db", "pan", "mute", "fade_in", "fade_out", "eq", "compressor", "reverb", "sidechain")
STEM = {"type": "string", "enum": list(STEM_WORDS)}
STEM_LIST = {"type": "array", "items": STEM, "minItems": 1, "uniqueItems": True, "maxItems": len(STEM_WORDS)}
VERSION = {"type": "integer", "minimum": 1, "description": "a version's number"}
# What changes no sound. The client plays, downloads and compares; the answer says the rest.
ACTIONS: Mapping[str, tuple[Intent, str, dict[str, Any]]] = {
    "undo": (Intent.UNDO, "Drop the plan that waits; where none waits, go back to the version before.", whole({})),
    "redo": (Intent.REDO, "Go to the version after the current one.", whole({})),
    "use_version": (Intent.USE, "Go to a version.", whole({"version": VERSION}, "version")),
    "play": (Intent.PLAY, "Play a version, by default the current one.", whole({"version": VERSION})),
    "download": (Intent.DOWNLOAD, "Offer a version's files, by default those of the current one.",
                 whole({"version": VERSION})),
    "compare": (Intent.COMPARE, "Show the current version beside the one before.", whole({})),
    "status": (Intent.STATUS, "Tell how far the current version is.", whole({})),
    "list_versions": (Intent.SHOW, "Tell which versions there are.", whole({})),
}  # fmt: skip


def tools_of(kinds: Iterable[KindTool]) -> list[ToolSpec]:
    """The tools, with the schemas of the kinds that this service has."""
    forms = {each.name: each.schema["properties"] for each in kinds}
    found: list[ToolSpec] = []
    if GENERATE in forms:
        music = _picked(forms[GENERATE], FIELDS[GENERATE])
        found += [
            ToolSpec(GENERATE, "Plan a new piece of music. What is left out suits the genre.", whole(music)),
            ToolSpec(CHANGE, "Change these fields of the generated piece; all others stay.", whole(music)),
            ToolSpec(
                VARY,
                "Plan one part of the generated piece anew: a stem or a section.",
                whole({"part": {"type": "string", "enum": list(CHANGES)}}, "part"),
            ),
        ]
        if "format" in forms[GENERATE]:
            written = {"format": _required(forms[GENERATE]["format"])}
            found.append(ToolSpec(FORMAT, "Choose how files are written.", whole(written, "format")))
    if MIX in forms:
        found += [
            ToolSpec(MIX, "Change how stems are mixed; what is left out stays. null or false ends a setting.",
                     _mix(forms[MIX])),
            ToolSpec(UNMIX, "Leave the stems as they are: no mix.", whole({})),
        ]  # fmt: skip
    if MASTER in forms:
        own = whole(_picked(forms[MASTER], FIELDS[MASTER]))
        found += [
            ToolSpec(MASTER, "Master the piece; what is left out stays.", own),
            ToolSpec(UNMASTER, "Leave the piece as it is: no master.", whole({})),
        ]
    words = {
        SEPARATE: "Split the piece or the song into these stems; all of them where none is named.",
        ANALYZE: "Find out tempo, key, chords and loudness.",
        TRANSCRIBE: "Write the notes of these stems as MIDI and MusicXML; all of them where none is named.",
        EXPORT: "Make a project for another program.",
    }
    for name, told in words.items():
        if name in forms:
            stems = {"stems": STEM_LIST} if name in (SEPARATE, TRANSCRIBE) else {}
            needed = ("targets",) if name == EXPORT else ()
            own = whole({**_picked(forms[name], FIELDS.get(name, ())), **stems}, *needed)
            found.append(ToolSpec(name, told, own))
    return found + [ToolSpec(name, told, schema) for name, (_, told, schema) in ACTIONS.items()]


def _mix(form: Mapping[str, Any]) -> dict[str, Any]:
    track = _picked(form["tracks"]["items"]["properties"], OF_TRACK)
    for each in (track["sidechain"], *track["sidechain"].get("anyOf", ())):
        if "from" in each.get("properties", {}):
            each["properties"]["from"] = {**STEM, "description": "the stem that it follows"}
    tracks = {"type": "array", "items": whole({"stem": STEM, **track}, "stem"), "minItems": 1, "maxItems": 12}
    return whole({"tracks": tracks, **_picked(form, FIELDS[MIX])})


def _picked(form: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: copy.deepcopy(form[name]) for name in names if name in form}


def _required(field: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "string", "enum": [each for each in field.get("enum", ()) if each]}
