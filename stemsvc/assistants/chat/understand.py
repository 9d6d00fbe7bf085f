"""Understands a message over what was said before. Pure: the same message and context give the same answer.

A message may ask for several things, one after the other: `a trap beat at 140, then take the drums out`. What is not
understood is asked, never guessed: then nothing of the message is done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from stemsvc.assistants.chat.context import Context
from stemsvc.assistants.chat.edits import EDITS, Asked, Unclear, create, edit
from stemsvc.assistants.chat.entities import Entities, find_entities
from stemsvc.assistants.chat.intents import Intent, find_intent
from stemsvc.assistants.chat.project import Project, plan
from stemsvc.assistants.chat.questions import is_german, question

_PARTS = re.compile(
    r"\s*[,;.]?\s+(?:and then|then|after that|afterwards|und dann|dann|danach|anschließend)\s+"
    r"|\s*;\s*|(?<=[a-zäöüß])\.\s+",
    re.IGNORECASE,
)
_AND = re.compile(r"\s*,?\s+(?:and|und)\s+", re.IGNORECASE)
_NAME = re.compile(
    r"\b(?:call|name|title|rename|nenn\w*|benenn\w*|umbenenn\w*)\s+(?:(?:it|this|that|es|das|ihn|sie)\s+)?(?:to|in|as)?\s*(.+?)[.!?]?$"
    r"|\bsoll\s+(.+?)\s+heißen",
    re.IGNORECASE,
)
NEW = (Intent.CREATE, Intent.CANDIDATES)  # what begins anew, whatever was there
_FILES = "\"'„“”‚‘’"


@dataclass(frozen=True)
class Understood:
    """One thing that a message asks for: its words, the intent, what it names."""

    text: str
    intent: Intent
    found: Entities


@dataclass(frozen=True)
class Understanding:
    """What a message means. `question` is asked back where it is not clear, and then all else is as it was.

    `actions` are intents that change no sound, in their order: who runs the conversation does them. `plan` is the body
    of `POST /v1/workflows` of the project that waits to be confirmed; None where nothing is to be made.
    """

    context: Context
    parts: tuple[Understood, ...] = ()
    actions: tuple[Intent, ...] = ()
    plan: dict[str, Any] | None = None
    question: str | None = None
    german: bool = False


def understand(message: str, context: Context, german: bool = False) -> Understanding:
    """What the message means; `german` is the language of the messages before, for one that does not tell."""
    message = " ".join(message.split())  # patterns take long over long gaps
    tongue = is_german(message, german)
    parts = split(message)
    if not parts:
        return Understanding(context, question=question("not_understood", tongue), german=tongue)
    try:
        return replace(_follow(parts, context), german=tongue)
    except Unclear as error:
        return Understanding(context, tuple(parts), question=question(error.question, tongue), german=tongue)


def split(message: str) -> list[Understood]:
    """The things that a message asks for; none where one of them is not understood."""
    whole = _understood(message)
    texts = [text for text in _PARTS.split(message) if text.strip()]
    if len(texts) > 1:
        found = [part for text in texts for part in split(text)]
        if len(found) >= len(texts):
            return found
    halves = _AND.split(message)
    if len(halves) > 1:
        found = [part for text in halves if (part := _understood(text))]
        wanted = {part.intent for part in found}
        # `drums and bass`, `dark and slow` are one thing: every half must ask for something of its own
        if len(found) == len(halves) == len(wanted) and not wanted <= {
            Intent.CREATE,
            Intent.MOOD,
            Intent.TEMPO,
            Intent.KEY,
        }:
            return found
    return [whole] if whole else []


def _understood(text: str) -> Understood | None:
    found = find_entities(text)
    intent = find_intent(text, found)
    return None if intent is None else Understood(text, intent, found)


def _follow(parts: list[Understood], context: Context) -> Understanding:
    actions: list[Intent] = []
    project, now = _begin(context), context
    changed = False
    for part in parts:
        if part.intent in EDITS:
            project, now = _edited(part, project, now)
            changed = True
        else:
            project, now = act(part, project, now)
            actions.append(part.intent)
            changed = changed or (part.intent is Intent.RENAME and not project.empty)
    if not changed:
        return Understanding(now, tuple(parts), tuple(actions), _confirmed(parts, context))
    now = replace(now, pending=project)
    return Understanding(now, tuple(parts), tuple(actions), plan(project))


def _begin(context: Context) -> Project:
    """What a message changes: the plan that waits for a yes, else the current version; questions of before are done."""
    return replace(context.pending or context.current, goals=())


def _edited(part: Understood, project: Project, now: Context) -> tuple[Project, Context]:
    if part.found.version is not None and part.intent not in NEW:
        project, now = _picked(part.found.version, now)
    now = replace(now, seed=now.seed + 1) if part.intent in (Intent.AGAIN, Intent.VARIATION, Intent.CANDIDATES) else now
    if part.intent is Intent.CREATE and now.versions:
        now = replace(now, seed=now.seed + 1)
    asked = Asked(part.text, part.found, now, project)
    if part.intent is Intent.CREATE:
        made = create(asked)
        # what a song to be made is to lack or to have, is said in one breath
        return (edit(Intent.MUTE, replace(asked, project=made)) if _without(part) else made), replace(now, facts={})
    return edit(part.intent, asked), now


def _without(part: Understood) -> bool:
    return bool(part.found.stems) and bool(re.search(r"\b(?:without|no|ohne|kein\w*)\b", part.text, re.IGNORECASE))


def _picked(number: int, now: Context) -> tuple[Project, Context]:
    place = now.version(number)
    if place is None:
        raise Unclear(f"which_version:{len(now.versions)}")
    return now.versions[place], now.moved(place)


def act(part: Understood, project: Project, now: Context) -> tuple[Project, Context]:
    """The state after an intent that makes nothing new."""
    if part.intent is Intent.USE:
        return _picked(part.found.version or 0, now)
    if part.found.version is not None and part.intent in (Intent.PLAY, Intent.DOWNLOAD):
        return _picked(part.found.version, now)
    if part.intent is Intent.UNDO:
        if now.pending is not None:
            return now.current, replace(now, pending=None)
        if now.at < 1:
            raise Unclear("nothing_to_undo")
        return now.versions[now.at - 1], now.moved(now.at - 1)
    if part.intent is Intent.REDO:
        if now.at + 1 >= len(now.versions):
            raise Unclear("nothing_to_redo")
        return now.versions[now.at + 1], now.moved(now.at + 1)
    if part.intent is Intent.RESET:
        return Project(), Context(seed=now.seed + 1)
    if part.intent is Intent.REJECT:
        return now.current, replace(now, pending=None)
    if part.intent is Intent.CONFIRM:
        if now.pending is None:
            raise Unclear("nothing_pending")
        return now.pending, now.with_version(now.pending)
    if part.intent is Intent.RENAME:
        return replace(project, name=_name(part.text)), now
    return project, now


def _confirmed(parts: list[Understood], context: Context) -> dict[str, Any] | None:
    """The plan that a yes confirms."""
    yes = any(part.intent is Intent.CONFIRM for part in parts)
    return plan(context.pending) if yes and context.pending is not None else None


def _name(text: str) -> str:
    found = _NAME.search(text)
    name = (found[1] or found[2] or "").strip().strip(_FILES).strip() if found else ""
    if not name:
        raise Unclear("which_name")
    return name[:200]
