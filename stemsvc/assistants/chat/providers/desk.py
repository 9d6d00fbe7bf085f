"""What a language model's calls of tools have brought so far. All of it is a draft: nothing is made by it.

A call is checked by the tool's schema, then by the same edits as the rules', then by what says whether the workflow
could be accepted. One that fails any of them changes nothing, and the model is told why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from stemsvc.assistants.brief import clean
from stemsvc.assistants.chat.context import Context
from stemsvc.assistants.chat.edits import Unclear
from stemsvc.assistants.chat.entities import Entities
from stemsvc.assistants.chat.intents import Intent
from stemsvc.assistants.chat.project import Goal, Project
from stemsvc.assistants.chat.providers import tools
from stemsvc.assistants.chat.providers.talk import ToolCall, ToolSpec, plain
from stemsvc.assistants.chat.questions import question
from stemsvc.assistants.chat.replies import summary
from stemsvc.assistants.chat.understand import Understanding, Understood, act
from stemsvc.errors import UsageError
from stemsvc.kinds.generate.params import MOST_NAME, MOST_PROMPT
from stemsvc.music.genres import STEMS

Check = Callable[[Project], Mapping[str, Any]]  # what the project's workflow would take; raises `UsageError`
Edit = Callable[["Desk", dict[str, Any]], Project]
MOST_FLAWS = 3


class Desk:
    """The draft of one answer over a conversation's context. `message` is what the user said."""

    def __init__(self, message: str, context: Context, specs: Sequence[ToolSpec], check: Check) -> None:
        self._message = message
        self._specs = {each.name: each for each in specs}
        self._check = check
        self.context = context
        self.project = replace(context.pending or context.current, goals=())
        self._actions: list[Intent] = []
        self._changed = False

    def call(self, called: ToolCall) -> dict[str, Any]:
        """Do what a call asks for, and say what came of it."""
        spec = self._specs.get(called.name)
        if spec is None:
            return _refused("unknown_tool", f"there is no tool {clean(called.name)}")
        if called.arguments is None:
            return _refused("bad_arguments", "the arguments are no JSON object")
        if flaws := _flaws(spec.schema, called.arguments):
            return _refused("bad_arguments", "; ".join(flaws))
        try:
            return self._done(called.name, dict(called.arguments))
        except Unclear as error:
            return _refused("unclear", question(error.question, False))
        except UsageError as error:
            return _refused(error.code, clean(error.detail))

    def understanding(self, german: bool) -> Understanding:
        """What the answer means, as the rules would say it."""
        actions = tuple(dict.fromkeys(self._actions))
        if not self._changed:
            return Understanding(self.context, actions=actions, german=german)
        return Understanding(replace(self.context, pending=self.project), actions=actions, german=german)

    def _done(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        if name in tools.ACTIONS:
            intent = tools.ACTIONS[name][0]
            part = Understood("", intent, Entities(version=given.get("version")))
            self.project, self.context = act(part, self.project, self.context)
            self._actions.append(intent)
            return {"done": True}
        before = self.context
        try:
            project = EDITS[name](self, given)
            forecast = self._check(project)
        except (Unclear, UsageError):
            self.context = before
            raise
        self.project, self._changed = project, True
        return {"planned": clean(summary(project, False)), "seconds": forecast.get("total_seconds")}

    def generate(self, given: dict[str, Any]) -> Project:
        """A new piece. The user's own words are its prompt where the model gives none, and name its files anyway."""
        self._next_seed(bool(self.context.versions))
        self.context = replace(self.context, facts={})
        said = self._message.strip()
        named = {"name": said[:MOST_NAME]} if given.get("prompt") else {}
        return Project(music={"prompt": said[:MOST_PROMPT], "seed": self.context.seed, **_set(given), **named})

    def change(self, given: dict[str, Any]) -> Project:
        """The piece with other fields; null leaves one open again."""
        piece = self._piece()
        before = (piece.music or {}).get("name") or str((piece.music or {}).get("prompt", ""))[:MOST_NAME]
        named = {"name": before or None} if given.get("prompt") else {}
        return piece.remade(**given, **named)

    def vary(self, given: dict[str, Any]) -> Project:
        """The piece with one part anew."""
        piece = self._piece()
        self._next_seed()
        return replace(piece, changes=(*piece.changes, (given["part"], self.context.seed)))

    def mix(self, given: dict[str, Any]) -> Project:
        """The piece with other settings of its stems, and of the mix."""
        project = self._there()
        for track in given.pop("tracks", ()):
            stem = self._stem(track.pop("stem"))
            own = {name: None if value is False else value for name, value in track.items()}
            if (followed := (own.get("sidechain") or {}).get("from")) is not None:
                self._stem(followed)
            project = project.track(stem, **own)
        mix = {name: value for name, value in {**project.mix, **given}.items() if value is not None}
        return replace(project, mix=mix)

    def master(self, given: dict[str, Any]) -> Project:
        """The piece, mastered."""
        project = self._there()
        wanted = {"preset": "streaming", **(project.master or {}), **given}
        return replace(project, master=_set(wanted))

    def separate(self, given: dict[str, Any]) -> Project:
        """The parts of the piece as files."""
        return replace(self._there(), split=self._stems(given))

    def goal(self, kind: str, given: dict[str, Any]) -> Project:
        """What else is made of the piece."""
        project, stems = self._there(), self._stems(given)
        own = _set({name: value for name, value in given.items() if name != "stems"})
        return replace(project, goals=(*project.goals, Goal(kind, {**own, **({"of": stems} if stems else {})})))

    def there(self, **changes: Any) -> Project:
        """What there is to work on, with these changes."""
        return replace(self._there(), **changes)

    def _next_seed(self, when: bool = True) -> None:
        self.context = replace(self.context, seed=self.context.seed + int(when))

    def _there(self) -> Project:
        if self.project.empty:
            raise Unclear("which_song")
        return self.project

    def _piece(self) -> Project:
        if self._there().music is None:
            raise Unclear("not_generated")
        return self.project

    def _stems(self, given: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(self._stem(each) for each in given.get("stems", ()))

    def _stem(self, name: str) -> str:
        if self.project.music is not None and name not in STEMS:
            raise Unclear(f"no_stem:{name}")
        return name


EDITS: dict[str, Edit] = {
    tools.GENERATE: Desk.generate,
    tools.CHANGE: Desk.change,
    tools.VARY: Desk.vary,
    tools.MIX: Desk.mix,
    tools.UNMIX: lambda desk, given: desk.there(tracks={}, mix={}),
    tools.MASTER: Desk.master,
    tools.UNMASTER: lambda desk, given: desk.there(master=None),
    tools.SEPARATE: Desk.separate,
    tools.FORMAT: lambda desk, given: desk.there(format=given["format"]),
    tools.ANALYZE: lambda desk, given: desk.goal(tools.ANALYZE, given),
    tools.TRANSCRIBE: lambda desk, given: desk.goal(tools.TRANSCRIBE, given),
    tools.EXPORT: lambda desk, given: desk.goal(tools.EXPORT, given),
}


def _plain(value: Any) -> bool:
    """Whether its texts can be stored and shown: no control characters, nothing that turns the direction of writing."""
    if isinstance(value, str):
        return value == plain(value)
    if isinstance(value, Mapping):
        return all(_plain(each) for pair in value.items() for each in pair)
    return all(map(_plain, value)) if isinstance(value, list) else True


def _set(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _refused(code: str, detail: str) -> dict[str, Any]:
    return {"error": {"code": code, "detail": detail}}


def _flaws(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[str]:
    """What is wrong with arguments, in a few words each, without what was sent: that may be long."""
    from jsonschema import Draft202012Validator  # of the extra `chat`

    if not _plain(arguments):
        return ["a text has characters that are no text"]
    found = sorted(Draft202012Validator(schema).iter_errors(arguments), key=lambda each: list(map(str, each.path)))
    return [
        f"{clean('.'.join(map(str, each.path)) or 'the arguments')}: it breaks {clean(str(each.validator))} "
        f"{clean(str(each.validator_value))}"
        for each in found[:MOST_FLAWS]
    ]
