"""Conversations: each message is answered once, and what it asks for is made once, however often it is sent."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from stemsvc.assistants.chat.context import Context
from stemsvc.assistants.chat.memory import Memory, remembered
from stemsvc.assistants.chat.replies import spoken
from stemsvc.assistants.chat.understand import Understanding
from stemsvc.control.conversation_turn import CONFIRMED, Making, Said, Speaker, Told, Turn
from stemsvc.control.model_replies import ModelReplies, Route
from stemsvc.control.workflows import WorkflowAcceptance
from stemsvc.errors import (
    ConversationNotFound,
    IdempotencyConflict,
    MessageNotFound,
    PlanNotOpen,
    ProviderFailed,
    ReplyInProgress,
    StemsvcError,
    StoreBusy,
)
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.conversations import Conversation, Message

_FAULT: Mapping[str, str] = {"code": ProviderFailed.code, "detail": "the service failed: its log says why"}
MOST_TRIES = 20  # of a message where others speak in the same conversation at once


@dataclass(frozen=True)
class Exchange:
    """A message with its answer. `replayed`: it came before, and nothing was done again."""

    conversation: Conversation
    message: Message
    reply: Message
    replayed: bool = False


class Conversations:
    """Makes conversations, answers their messages, follows what they confirm. An owner sees its own alone."""

    def __init__(self, store: JobStore, workflows: WorkflowAcceptance, models: ModelReplies) -> None:
        self._store = store
        self._workflows = workflows
        self._models = models

    @property
    def providers(self) -> tuple[str, ...]:
        """Who answers messages, in this order."""
        return self._models.providers

    def current(self, conversation_id: str) -> Conversation | None:
        """The conversation as it is shown, whoever owns it; None where there is none."""
        found = self._store.conversations.get(conversation_id)
        return self._models.current(found) if found is not None else None

    def create(self, owner: str, name: str, auto_run: bool, source: Mapping[str, Any] | None) -> Conversation:
        """A new conversation; `source` is the song that it is about, as `POST /v1/workflows` takes one."""
        memory = Memory(Context(song=source))
        return self._store.conversations.add(Conversation(uuid.uuid4().hex, owner, name, auto_run, memory.as_json()))

    def view(self, conversation_id: str, owner: str) -> Conversation:
        """The conversation, if it is the owner's. Raises `UsageError` `conversation_not_found`."""
        found = self._store.conversations.get(conversation_id) if conversation_id.isalnum() else None
        if found is None or found.owner != owner:
            raise ConversationNotFound("no such conversation")
        return self._models.current(found)

    def change(self, conversation_id: str, owner: str, name: str | None, auto_run: bool | None) -> Conversation:
        """Rename a conversation, or have it run plans at once or not; None leaves it."""
        for _ in range(MOST_TRIES):
            now = self.view(conversation_id, owner)
            after = replace(
                now,
                name=now.name if name is None else name,
                auto_run=now.auto_run if auto_run is None else auto_run,
            )
            if self._store.conversations.write(after):
                return self.view(conversation_id, owner)
        raise _busy()

    def erase(self, conversation_id: str, owner: str) -> None:
        """Erase it with all of its messages. Workflows that it has made stay."""
        self.view(conversation_id, owner)
        self._store.conversations.delete(conversation_id)

    def say(self, conversation_id: str, owner: str, said: Said, making: Making) -> Exchange:
        """Answer a message, and do what it asks for.

        A message that comes again with its `client_key` gets the answer that it got. Raises `UsageError`
        `conversation_not_found`; `idempotency_conflict` for the key of another message; `plan_not_open` where
        `said.card` no longer waits for a yes; `TransientError` `reply_in_progress` while a language model writes, and
        those of stores and queues: then nothing was said.
        """
        token = _token(said.client_key)
        started: set[str] = set()
        for _ in range(MOST_TRIES):
            now = self.view(conversation_id, owner)
            if (earlier := self._earlier(now, said)) is not None:
                self._drop(started, earlier.conversation)
                return earlier
            now = self._models.settled(now)
            try:
                speaker = Speaker(self._store, self._workflows, now, making, token, said)
            except PlanNotOpen:
                self._drop(started, now)
                raise
            heard = speaker.understood()
            route = self._models.route(said, heard, owner)
            if route.models:
                begun = speaker.begun(self._models.until(route))
                if self._store.conversations.write(begun.after, begun.new):
                    return self._by_model(route, said, speaker, making, owner, begun)
                continue
            turn = speaker.turn(heard, Told(notice=route.notice))
            started |= set(remembered(turn.after.state).workflows) - set(remembered(now.state).workflows)
            if self._store.conversations.write(turn.after, turn.new, turn.changed):
                after = self.view(conversation_id, owner)
                self._drop(started, turn.after)
                spoken, told = (self._message(after, each.number) for each in turn.new)
                return Exchange(after, spoken, told)
        raise _busy()

    def _by_model(
        self, route: Route, said: Said, speaker: Speaker, making: Making, owner: str, begun: Turn
    ) -> Exchange:
        """Answer a message whose place is written, by language models; its end is written whatever happens."""
        spoken, stub = begun.new
        heard, told = speaker.understood(), Told(route.models[0].name, problem=_FAULT)
        try:
            now = self.view(begun.after.id, owner)
            heard, told = self._models.answer(route, said, speaker, making.tools(), now)
        except StemsvcError as error:
            told = replace(told, problem={"code": error.code, "detail": error.detail})
        finally:
            after = self._ended(begun.after.id, owner, speaker, heard, told)
        return Exchange(after, self._message(after, spoken.number), self._message(after, stub.number))

    def _ended(
        self, conversation_id: str, owner: str, speaker: Speaker, heard: Understanding, told: Told
    ) -> Conversation:
        """Do what the answer asks for, and write its end. Others may have renamed the conversation meanwhile."""
        started: set[str] = set()
        try:
            for _ in range(MOST_TRIES):
                now = self.view(conversation_id, owner)
                if remembered(now.state).writing != speaker.reply_number:
                    return now  # it took so long that the reply counted as lost
                known = set(remembered(now.state).workflows)
                turn = speaker.turn(heard, told, now)
                started |= set(remembered(turn.after.state).workflows) - known
                if self._store.conversations.write(turn.after, turn.new, turn.changed):
                    return self.view(conversation_id, owner)
        except ConversationNotFound:
            for workflow_id in started:  # what was erased asks for nothing
                self._workflows.cancel(workflow_id, owner)
            raise
        raise _busy()

    def confirm(self, conversation_id: str, owner: str, number: int | None, making: Making) -> Exchange:
        """Run the plan of the message of that number; None: the one that waits. Twice is once.

        Raises what `say` raises, and `UsageError` `message_not_found`.
        """
        now = self.view(conversation_id, owner)
        memory = remembered(now.state)
        number = memory.card if number is None else number
        if number is None:
            raise PlanNotOpen("no plan waits for a yes")
        self._message(now, number)
        return self.say(conversation_id, owner, Said(spoken("yes", memory.german), card=number, button=True), making)

    def undo(self, conversation_id: str, owner: str, key: str | None, making: Making) -> Exchange:
        """A step back: drop the plan that waits, else go to the version before."""
        return self._spoken("undo", conversation_id, owner, key, making)

    def regenerate(self, conversation_id: str, owner: str, key: str | None, making: Making) -> Exchange:
        """Make the piece anew by another seed."""
        return self._spoken("again", conversation_id, owner, key, making)

    def _spoken(self, name: str, conversation_id: str, owner: str, key: str | None, making: Making) -> Exchange:
        german = remembered(self.view(conversation_id, owner).state).german
        return self.say(conversation_id, owner, Said(spoken(name, german), key, button=True), making)

    def _earlier(self, now: Conversation, said: Said) -> Exchange | None:
        """What was answered to the same message, or to the same confirmation."""
        if said.card is not None:
            card = self._message(now, said.card)
            if card.body.get("state") != CONFIRMED:
                return None
            first = int(card.body.get("confirmed_by") or card.number - 1)
            return Exchange(now, self._message(now, first), self._message(now, first + 1), replayed=True)
        found = self._store.conversations.named(now.id, said.client_key) if said.client_key is not None else None
        if found is None:
            return None
        if found.text != said.text:
            raise IdempotencyConflict("this Idempotency-Key came before with another message")
        told = self._message(now, found.number + 1)
        if told.body.get("writing"):
            raise ReplyInProgress("the reply to this message is still being written", retry_after=1.0)
        return Exchange(now, found, told, replayed=True)

    def _message(self, now: Conversation, number: int) -> Message:
        found = self._store.conversations.message(now.id, number)
        if found is None:
            raise MessageNotFound(f"the conversation has no message {number}")
        return found

    def _drop(self, started: set[str], after: Conversation) -> None:
        """Stop workflows that a try has started whose turn was not written: others spoke meanwhile."""
        for workflow_id in started - set(remembered(after.state).workflows):
            self._workflows.cancel(workflow_id, after.owner)


def _token(client_key: str | None) -> str:
    """A name for what a message starts: the same one when the message comes again with its key."""
    return uuid.uuid4().hex if client_key is None else hashlib.sha256(client_key.encode()).hexdigest()[:32]


def _busy() -> StoreBusy:
    return StoreBusy("too many speak in this conversation at once: send it again")
