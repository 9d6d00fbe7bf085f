"""One message of a conversation: understood by the rules, answered, and followed where it asks for work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from stemsvc.assistants.chat.context import Context
from stemsvc.assistants.chat.intents import Intent
from stemsvc.assistants.chat.memory import Memory, remembered
from stemsvc.assistants.chat.project import Project, plan
from stemsvc.assistants.chat.providers.provider import RULES
from stemsvc.assistants.chat.providers.talk import ToolSpec
from stemsvc.assistants.chat.replies import reply, summary
from stemsvc.assistants.chat.understand import Understanding, understand
from stemsvc.control.conversation_lines import Lines, places, workflow_of
from stemsvc.control.workflows import WorkflowAcceptance
from stemsvc.errors import PlanNotOpen, UsageError
from stemsvc.jobs.record import JobState
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.conversations import Conversation, Message
from stemsvc.kinds.generate.kind import KIND as GENERATE
from stemsvc.workflows.record import Workflow

MOST_NAME, MOST_WORKFLOW_NAME = 80, 200
WRITING: Mapping[str, Any] = {"writing": True}  # of a reply that is still being written
OPEN, CONFIRMED, REJECTED, REPLACED = "open", "confirmed", "rejected", "replaced"  # states of a card


class Making(Protocol):
    """How bodies of `POST /v1/workflows` become forecasts and workflows, by the limits of who speaks."""

    def tools(self) -> Sequence[ToolSpec]:
        """What a language model may call on who speaks' behalf, by the forms of the kinds."""

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
    button: bool = False  # no words of a person's: a button's, which only the rules answer


@dataclass(frozen=True)
class Told:
    """Who answers a message, and how. `words` are a language model's own, `tokens` what it has read and written.

    `cost` is in US dollars, None where that is not known. `notice` says why the one that was to answer did not;
    `problem` says why there is no whole answer, and then nothing of the message is done.
    """

    provider: str = RULES
    model: str | None = None
    words: str = ""
    tokens: tuple[int, int] | None = None
    cost: float | None = 0.0
    notice: Mapping[str, str] | None = None
    problem: Mapping[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        """It as a part of a message's body."""
        own = {"provider": self.provider, "model": self.model, "cost": self.cost, "notice": self.notice}
        return {**own, "tokens": list(self.tokens) if self.tokens else None}


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
        self, store: JobStore, workflows: WorkflowAcceptance, now: Conversation, making: Making, token: str, said: Said
    ) -> None:
        """Raises `UsageError` `plan_not_open` where `said.card` no longer waits for a yes."""
        self._store = store
        self._now = now
        self._making = making
        self._token = token
        self._said = said
        self._lines = Lines(store, workflows, now.owner)
        self._number = now.messages + 1  # of the message; its reply has the next one
        self._began = False
        before = self._before = remembered(now.state)
        if said.card is not None and before.card != said.card:
            raise PlanNotOpen("this plan is not the one that waits for a yes")
        if said.source is not None:
            before = Memory(Context(song=said.source, seed=before.context.seed), german=before.german)
        self._memory = replace(before, context=replace(before.context, facts=self._facts(before)))

    @property
    def memory(self) -> Memory:
        """What the message is said over."""
        return self._memory

    @property
    def reply_number(self) -> int:
        """The number of the reply."""
        return self._number + 1

    def understood(self) -> Understanding:
        """What the rules understand."""
        return understand(self._said.text, self._memory.context, self._memory.german)

    def forecast(self, project: Project) -> dict[str, Any]:
        """What the project's workflow would take. Raises `UsageError` where it can't be."""
        return self._making.plan(self._body(project))

    def begun(self, until: float) -> Turn:
        """The message with the place of its reply, which is written `until` then; `turn` completes it."""
        self._began = True
        memory = replace(self._before, writing=self._number + 1, until=until)
        spoken, stub = self._spoken(), Message(self._now.id, self._number + 1, "assistant", "text", "", WRITING)
        return Turn(replace(self._named(), state=memory.as_json()), (spoken, stub))

    def turn(self, heard: Understanding, told: Told = Told(), now: Conversation | None = None) -> Turn:
        """The turn, still to be written. Raises the store's `TransientError`s.

        `now` is the conversation as it is since `begun` was written.
        """
        self._now = self._now if now is None else now
        auto_run = self._now.auto_run if self._said.auto_run is None else self._said.auto_run
        return self._written(told, self._answer(heard, replace(self._memory, german=heard.german), auto_run, told))

    def _answer(self, heard: Understanding, before: Memory, auto_run: bool, told: Told) -> _Answer:
        if told.problem is not None:
            lines = [told.words, reply("problem", heard.german, told.problem["detail"])]
            return _Answer(before, "problem", "\n\n".join(filter(None, lines)), {"problem": dict(told.problem)})
        if heard.question is not None:
            return _Answer(before, "question", heard.question)
        try:
            return self._followed(heard, before, auto_run, told.words)
        except UsageError as error:
            problem = {"problem": {"code": error.code, "detail": error.detail}}
            lines = [reply("problem", heard.german, error.detail)]
            return _Answer(before, "problem", _text(told.words, lines), problem)

    def _followed(self, heard: Understanding, before: Memory, auto_run: bool, words: str) -> _Answer:
        context, old = heard.context, before.context
        proposed = context.pending if context.pending is not old.pending else None
        forecast = self._making.plan(self._body(proposed)) if proposed is not None else None
        if proposed is not None and auto_run:
            context = context.with_version(proposed)
        memory = replace(before, context=context, workflows=self._made(before, context))
        memory = replace(memory, card=before.card if context.pending is not None else None)
        confirmed = Intent.CONFIRM in heard.actions
        lines = [self._lines.line(action, memory, before) for action in heard.actions]
        facts = {"actions": [str(each) for each in heard.actions], **places(heard, memory)}
        if proposed is None or forecast is None:
            return _Answer(memory, "text", _text(words, lines), facts, workflow_of(facts, memory), confirmed)
        told = summary(proposed, heard.german)
        if auto_run:
            lines.append(reply("runs", heard.german, context.at + 1, told))
            facts |= {"state": CONFIRMED, "version": context.at + 1}
        else:
            lines.append(reply("plan", heard.german, told, forecast["total_seconds"]))
            facts |= {"state": OPEN, "version": None}
            memory = replace(memory, card=self._number + 1)
        facts |= {"plan": self._body(proposed), "forecast": forecast, "summary": told}
        workflow_id = memory.current if auto_run else None
        return _Answer(memory, "plan", _text(words, lines), facts, workflow_id, confirmed)

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

    def _named(self) -> Conversation:
        return replace(self._now, name=self._now.name or " ".join(self._said.text.split())[:MOST_NAME])

    def _spoken(self) -> Message:
        return Message(self._now.id, self._number, "user", "text", self._said.text, client_key=self._said.client_key)

    def _written(self, told: Told, answer: _Answer) -> Turn:
        body = {**answer.body, **told.as_json()}
        reply_to = Message(
            self._now.id, self._number + 1, "assistant", answer.kind, answer.text, body, answer.workflow_id
        )
        after = replace(self._named(), state=answer.memory.as_json())
        cards = self._card(answer, self._number)
        return Turn(after, (), (reply_to, *cards)) if self._began else Turn(after, (self._spoken(), reply_to), cards)

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


def _text(words: str, lines: Sequence[str]) -> str:
    """A reply: what a language model says, if one answers, and what the service says of what it does."""
    return "\n\n".join(filter(None, (words, "\n".join(lines))))
