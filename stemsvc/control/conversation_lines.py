"""What is told of a message that changes no sound: which versions there are, how one stands, what was stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stemsvc.assistants.chat.intents import Intent
from stemsvc.assistants.chat.memory import Memory
from stemsvc.assistants.chat.replies import reply, state_word, summary
from stemsvc.assistants.chat.understand import Understanding
from stemsvc.control.workflows import WorkflowAcceptance
from stemsvc.jobstore import JobStore
from stemsvc.workflows.record import WorkflowState


class Lines:
    """The lines of a reply to an owner, one for each intent."""

    def __init__(self, store: JobStore, workflows: WorkflowAcceptance, owner: str) -> None:
        self._store = store
        self._workflows = workflows
        self._owner = owner

    def line(self, action: Intent, memory: Memory, before: Memory) -> str:
        """What is told of an intent that changes no sound."""
        german, at, versions = memory.german, memory.context.at, memory.context.versions
        number = at + 1
        if action is Intent.CONFIRM:
            return reply("runs", german, number, summary(versions[at], german))
        if action in (Intent.UNDO, Intent.REDO, Intent.USE):
            told = (number, summary(versions[at], german)) if versions else ()
            return reply("back" if told else "nothing_left", german, *told)
        if action is Intent.STOP:
            return self._stop(before)
        if action is Intent.STATUS:
            return self._status(memory)
        if action is Intent.SHOW:
            return _list(memory)
        if action in (Intent.PLAY, Intent.DOWNLOAD):
            name = "play" if action is Intent.PLAY else "download"
            return reply(name, german, number) if versions else reply("no_versions", german)
        if action is Intent.COMPARE:
            pair = _pair(memory)
            return reply("compare", german, *pair) if pair else reply("nothing_to_compare", german)
        names = {
            Intent.RESET: "reset", Intent.REJECT: "rejected", Intent.DELETE: "delete", Intent.HELP: "help",
            Intent.GREET: "greet", Intent.THANK: "thank",
        }  # fmt: skip
        return reply(names.get(action, "no_versions"), german)

    def _stop(self, memory: Memory) -> str:
        """Stop what is at work for this conversation."""
        stopped = []
        for standing in self._store.workflows.standings(set(memory.workflows)):
            if standing.workflow.state is WorkflowState.RUNNING:
                stopped.append(self._workflows.cancel(standing.workflow.id, self._owner).name)
        return reply("stopped", memory.german, "; ".join(stopped)) if stopped else reply("nothing_runs", memory.german)

    def _status(self, memory: Memory) -> str:
        if memory.current is None:
            return reply("no_versions", memory.german)
        number, found = memory.context.at + 1, self._store.workflows.standings([memory.current])
        if not found:
            return reply("status_gone", memory.german, number)
        (standing,) = found
        share = 1.0 if not standing.workflow.live else standing.done / standing.whole if standing.whole else 0.0
        return reply(
            "status", memory.german, number, state_word(str(standing.workflow.state), memory.german), round(share * 100)
        )


def places(heard: Understanding, memory: Memory) -> dict[str, Any]:
    """Which versions the answer speaks of."""
    about = (Intent.UNDO, Intent.REDO, Intent.USE, Intent.PLAY, Intent.DOWNLOAD, Intent.CONFIRM, Intent.STATUS)
    found: dict[str, Any] = {}
    if memory.context.at >= 0 and any(action in about for action in heard.actions):
        found["version"] = memory.context.at + 1
    if Intent.COMPARE in heard.actions and (pair := _pair(memory)):
        found["compared"] = list(pair)
    return found


def workflow_of(facts: Mapping[str, Any], memory: Memory) -> str | None:
    """The workflow of the version that an answer speaks of."""
    return memory.current if "version" in facts else None


def _pair(memory: Memory) -> tuple[int, int] | None:
    """The current version and the one before it; where it is the first, the one after it."""
    number = memory.context.at + 1
    if len(memory.context.versions) < 2:
        return None
    return (number - 1, number) if number > 1 else (number, number + 1)


def _list(memory: Memory) -> str:
    german = memory.german
    lines = [
        reply("current" if place == memory.context.at else "version", german, place + 1, summary(each, german))
        for place, each in enumerate(memory.context.versions)
    ]
    return "\n".join(lines) or reply("no_versions", german)
