"""What a conversation keeps between two messages, as JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from stemsvc.assistants.chat.context import Context
from stemsvc.assistants.chat.project import Goal, Project


@dataclass(frozen=True)
class Memory:
    """A conversation's state. `workflows` has the id of the one that makes each of the context's versions.

    `card` is the number of the message that shows the plan that waits for a yes. `german` is the language so far.
    `writing` is the number of a reply that a language model is still writing, `until` when it must be done: until then
    nobody else is answered.
    """

    context: Context = field(default_factory=Context)
    workflows: tuple[str, ...] = ()
    card: int | None = None
    german: bool = False
    writing: int | None = None
    until: float = 0.0

    @property
    def current(self) -> str | None:
        """The workflow that makes the current version; None where there is no version."""
        return self.workflows[self.context.at] if self.context.at >= 0 else None

    def as_json(self) -> dict[str, Any]:
        """It, without the facts: those are found out anew."""
        context = self.context
        return {
            "versions": [asdict(each) for each in context.versions],
            "at": context.at,
            "song": dict(context.song) if context.song is not None else None,
            "pending": asdict(context.pending) if context.pending is not None else None,
            "seed": context.seed,
            "workflows": list(self.workflows),
            "card": self.card,
            "german": self.german,
            "writing": self.writing,
            "until": self.until,
        }


def remembered(state: Mapping[str, Any]) -> Memory:
    """The memory of which `as_json` made the state; an empty one of an empty state."""
    if not state:
        return Memory()
    context = Context(
        versions=tuple(_project(each) for each in state["versions"]),
        at=state["at"],
        song=state["song"],
        pending=_project(state["pending"]) if state["pending"] is not None else None,
        seed=state["seed"],
    )
    writing = (state.get("writing"), float(state.get("until") or 0.0))  # earlier releases have neither
    return Memory(context, tuple(state["workflows"]), state["card"], state["german"], *writing)


def _project(told: Mapping[str, Any]) -> Project:
    own = {
        "changes": tuple((part, seed) for part, seed in told["changes"]),
        "split": tuple(told["split"]) if told["split"] is not None else None,
        "goals": tuple(Goal(**each) for each in told["goals"]),
    }
    return Project(**{**told, **own})
