"""One message of a conversation: understood by the rules, answered, and followed where it asks for work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from stemsvc.assistants.chat.context import Context
from stemsvc.assistants.chat.intents import Intent
from stemsvc.assistants.chat.memory import Memory, remembered
from stemsvc.assistants.chat.project import Project, plan
from stemsvc.assistants.chat.replies import reply, state_word, summary
from stemsvc.assistants.chat.understand import Understanding, understand
from stemsvc.control.workflows import WorkflowAcceptance
from stemsvc.errors import PlanNotOpen, UsageError
from stemsvc.jobs.record import JobState
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.conversations import Conversation, Message
from stemsvc.kinds.generate.kind import KIND as GENERATE
from stemsvc.workflows.record import Workflow, WorkflowState

MOST_NAME, MOST_WORKFLOW_NAME = 80, 200
OPEN, CONFIRMED, REJECTED, REPLACED = "open", "confirmed", "rejected", "replaced"  # states of a card


class Making(Protocol):
    """How bodies of `POST /v1/workflows` become forecasts and workflows, by the limits of who speaks."""

    def plan(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """What the workflow would take: the fields of `PlanSchema`. Raises `UsageError` for a body that can't be."""

    def start(self, body: Mapping[str, Any], key: str) -> Workflow:
        """Make the workflow, or find the one that the key has made. Raises what `WorkflowAcceptance.accept` raises."""


@dataclass(frozen=True)
class Said:
    """What a client says. `source` is a song to speak of from now on; `card` is the message whose plan it confirms."""

    text: str
    client_key: str | None = None
    auto_run: bool | None = None  # None: as the conversation has it
    source: Mapping[str, Any] | None = None
    card: int | None = None


@dataclass(frozen=True)
class Turn:
    """What a message has brought: the conversation as it is then, its new messages, those that it has changed."""

    after: Conversation
    new: Sequence[Message]
    changed: Sequence[Message] = ()


@dataclass(frozen=True)
class _Answer:
    memory: Memory
    kind: str
    text: str
    body: Mapping[str, Any] = field(default_factory=dict)
    workflow_id: str | None = None
    confirmed: bool = False  # the plan that waited


class Speaker:
    """Answers one message over a conversation as it was read. `token` names what it starts, in each try the same."""

    def __init__(
        self, store: JobStore, workflows: WorkflowAcceptance, now: Conversation, making: Making, token: str
    ) -> None:
        self._store = store
        self._workflows = workflows
        self._now = now
        self._making = making
        self._token = token
        self._before = remembered(now.state)

    def turn(self, said: Said) -> Turn:
        """The turn, still to be written. Raises `UsageError` `plan_not_open`, and the store's `TransientError`s."""
        before = self._before
        if said.card is not None and before.card != said.card:
            raise PlanNotOpen("this plan is not the one that waits for a yes")
        if said.source is not None:
            before = Memory(Context(song=said.source, seed=before.context.seed), german=before.german)
        context = replace(before.context, facts=self._facts(before))
        heard = understand(said.text, context, before.german)
        auto_run = self._now.auto_run if said.auto_run is None else said.auto_run
        answer = self._answer(heard, replace(before, context=context, german=heard.german), auto_run)
        return self._written(said, answer)

    def _answer(self, heard: Understanding, before: Memory, auto_run: bool) -> _Answer:
        if heard.question is not None:
            return _Answer(before, "question", heard.question)
        try:
            return self._followed(heard, before, auto_run)
        except UsageError as error:
            problem = {"problem": {"code": error.code, "detail": error.detail}}
            return _Answer(before, "problem", reply("problem", heard.german, error.detail), problem)

    def _followed(self, heard: Understanding, before: Memory, auto_run: bool) -> _Answer:
        context, old = heard.context, before.context
        proposed = context.pending if context.pending is not old.pending else None
        forecast = self._making.plan(self._body(proposed)) if proposed is not None else None
        if proposed is not None and auto_run:
            context = context.with_version(proposed)
        memory = replace(before, context=context, workflows=self._made(before, context))
        memory = replace(memory, card=before.card if context.pending is not None else None)
        confirmed = Intent.CONFIRM in heard.actions
        lines = [self._line(action, memory, before) for action in heard.actions]
        facts = {"actions": [str(each) for each in heard.actions], **_places(heard, memory)}
        if proposed is None or forecast is None:
            return _Answer(memory, "text", "\n".join(lines), facts, _workflow(facts, memory), confirmed)
        told = summary(proposed, heard.german)
        if auto_run:
            lines.append(reply("runs", heard.german, context.at + 1, told))
            facts |= {"state": CONFIRMED, "version": context.at + 1}
        else:
            lines.append(reply("plan", heard.german, told, forecast["total_seconds"]))
            facts |= {"state": OPEN, "version": None}
            memory = replace(memory, card=self._now.messages + 2)
        facts |= {"plan": self._body(proposed), "forecast": forecast, "summary": told}
        workflow_id = memory.current if auto_run else None
        return _Answer(memory, "plan", "\n".join(lines), facts, workflow_id, confirmed)

    def _made(self, before: Memory, context: Context) -> tuple[str, ...]:
        """The workflow of each version; that of a new version is made now."""
        old, found = before.context, []
        for place, version in enumerate(context.versions):
            if place < len(old.versions) and version is old.versions[place]:
                found.append(before.workflows[place])
                continue
            name = str(before.card) if version is old.pending else self._token
            found.append(self._making.start(self._body(version), f"conversation-{self._now.id}-{name}").id)
        return tuple(found)

    def _body(self, project: Project) -> dict[str, Any]:
        name = summary(project, False)[:MOST_WORKFLOW_NAME]
        return {"name": name, **plan(project), "metadata": {"conversation_id": self._now.id}}

    def _facts(self, memory: Memory) -> dict[str, Any]:
        """What is known of the current version: what its last generation found out."""
        if memory.current is None:
            return {}
        jobs = self._store.workflows.jobs(memory.current)
        made = [job for job in jobs if job.kind == GENERATE.name and job.state is JobState.SUCCEEDED]
        return dict(made[-1].facts or {}) if made else {}

    def _line(self, action: Intent, memory: Memory, before: Memory) -> str:
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
                stopped.append(self._workflows.cancel(standing.workflow.id, self._now.owner).name)
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

    def _written(self, said: Said, answer: _Answer) -> Turn:
        now, number = self._now, self._now.messages + 1
        name = now.name or " ".join(said.text.split())[:MOST_NAME]
        after = replace(now, name=name, state=answer.memory.as_json())
        spoken = Message(now.id, number, "user", "text", said.text, client_key=said.client_key)
        told = Message(now.id, number + 1, "assistant", answer.kind, answer.text, answer.body, answer.workflow_id)
        return Turn(after, (spoken, told), self._card(answer, number))

    def _card(self, answer: _Answer, number: int) -> list[Message]:
        """The card that waited for a yes, if it does so no more."""
        old = self._before.card
        card = self._store.conversations.message(self._now.id, old) if old is not None else None
        if card is None or answer.memory.card == old:
            return []
        if not answer.confirmed:
            state = REJECTED if answer.memory.context.pending is None and answer.kind != "plan" else REPLACED
            return [replace(card, body={**card.body, "state": state})]
        # where the message asks for more, the plan that it has confirmed became the version before
        place = len(self._before.context.versions[: self._before.context.at + 1])
        made = {"state": CONFIRMED, "version": place + 1, "confirmed_by": number}
        return [replace(card, body={**card.body, **made}, workflow_id=answer.memory.workflows[place])]


def _places(heard: Understanding, memory: Memory) -> dict[str, Any]:
    """Which versions the answer speaks of."""
    about = (Intent.UNDO, Intent.REDO, Intent.USE, Intent.PLAY, Intent.DOWNLOAD, Intent.CONFIRM, Intent.STATUS)
    found: dict[str, Any] = {}
    if memory.context.at >= 0 and any(action in about for action in heard.actions):
        found["version"] = memory.context.at + 1
    if Intent.COMPARE in heard.actions and (pair := _pair(memory)):
        found["compared"] = list(pair)
    return found


def _workflow(facts: Mapping[str, Any], memory: Memory) -> str | None:
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
