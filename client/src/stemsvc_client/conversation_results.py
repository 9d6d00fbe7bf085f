"""What the service answers about conversations, as types; see `results`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stemsvc_client.results import Part, Problem
from stemsvc_client.workflow_results import Plan


@dataclass(frozen=True)
class Version(Part):
    """A version of the piece: what was confirmed. `workflow_id` makes it."""

    version: int = 0
    summary: str = ""
    workflow_id: str = ""


@dataclass(frozen=True)
class Conversation(Part):
    """A conversation. In lists it has no versions. `plan` is the number of the message whose plan waits for a yes."""

    id: str = ""
    name: str = ""
    auto_run: bool = False
    messages: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None
    versions: tuple[Version, ...] = ()
    version: int | None = None
    plan: int | None = None
    providers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Message(Part):
    """A message. `kind` is `text`, `question`, `plan` or `problem`; `state` is that of a plan.

    Of a reply, `provider` and `model` say who answered, `cost` how many US dollars that took (None: not known),
    `notice` why not the one that was to. It is `writing` while its text grows.
    """

    number: int = 0
    role: str = ""
    kind: str = ""
    text: str = ""
    created_at: datetime | None = None
    version: int | None = None
    workflow_id: str | None = None
    state: str | None = None
    plan: Mapping[str, Any] | None = None
    forecast: Plan | None = None
    problem: Problem | None = None
    writing: bool = False
    provider: str | None = None
    model: str | None = None
    tokens: list[int] | None = None
    cost: float | None = None
    notice: Problem | None = None


@dataclass(frozen=True)
class Exchange(Part):
    """A message, its answer, and the conversation after it."""

    message: Message = Message()
    reply: Message = Message()
    conversation: Conversation = Conversation()
