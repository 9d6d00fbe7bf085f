"""Replies by language models. A reply stands in the job store from its first moment, grows there, and ends there.

Only its writer writes it, and nobody else is answered in the conversation meanwhile. What the model has called is done
once, at its end, by the same turn as the rules' answers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stemsvc.assistants.chat.intents import Intent
from stemsvc.assistants.chat.memory import Memory, remembered
from stemsvc.assistants.chat.providers import chain
from stemsvc.assistants.chat.providers.desk import Desk
from stemsvc.assistants.chat.providers.provider import RULES, Provider, configured
from stemsvc.assistants.chat.providers.question import MOST_LINES, question
from stemsvc.assistants.chat.providers.talk import Line, ToolSpec
from stemsvc.assistants.chat.questions import is_german
from stemsvc.assistants.chat.replies import reply
from stemsvc.assistants.chat.understand import Understanding
from stemsvc.control.conversation_turn import Said, Speaker, Told
from stemsvc.errors import (
    ChatBudgetSpent,
    ProviderFailed,
    ProvidersFailed,
    ReplyInProgress,
    ReplyInterrupted,
    StemsvcError,
)
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.chat_spending import Spent
from stemsvc.jobstore.conversations import Conversation
from stemsvc.observe.loggers import get_logger
from stemsvc.settings import Settings

log = get_logger()
GRACE_SECONDS = 20.0  # for all but the models: a reply that takes longer has lost its writer
FLUSH_SECONDS = 0.2  # between two writes of a reply that grows
OWN_WORDS = frozenset({Intent.CONFIRM, Intent.REJECT, Intent.STOP, Intent.RESET})  # which no tool stands for


@dataclass(frozen=True)
class Route:
    """Who answers a message: these models in turn, else the rules. `notice` says why no model does that should."""

    models: tuple[Provider, ...] = ()
    rules: bool = True  # whether the rules answer where no model does
    notice: Mapping[str, str] | None = None


class ModelReplies:
    """Decides who answers, asks the models, and writes what they say."""

    def __init__(self, store: JobStore, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    @property
    def providers(self) -> tuple[str, ...]:
        """Who answers messages, in this order: what pages show before anything is sent."""
        return tuple(each.partition(":")[0] for each in self._settings.chat_providers.split(","))

    def route(self, said: Said, heard: Understanding, owner: str) -> Route:
        """Who answers: buttons, and what only a person's own words may do, are the rules'.

        Raises `FatalError` `bad_setting`.
        """
        settings = self._settings.fresh()
        if settings.chat_providers == RULES or said.button or said.card is not None or _own_words(heard):
            return Route()
        every = configured(settings)
        if every[0].name == RULES and heard.parts:
            return Route()
        budget = settings.chat_budget_per_key
        if budget and self._store.chat_spending.this_month(owner).dollars >= budget:
            spent = ChatBudgetSpent(f"this month's {budget:g} US dollars are spent")
            return Route(notice={"code": spent.code, "detail": spent.detail})
        models = tuple(each for each in every if each.name != RULES)
        return Route(models, len(models) < len(every))

    def until(self, route: Route) -> float:
        """When a reply that begins now must be done. What speaks with models is loaded before: that may take long."""
        chain.loaded(route.models)
        return self._store.now() + self._settings.chat_seconds + GRACE_SECONDS

    def settled(self, now: Conversation) -> Conversation:
        """The conversation without a reply that lost its writer. Raises `TransientError` `reply_in_progress` while a
        reply is written."""
        memory = remembered(now.state)
        if memory.writing is None:
            return now
        left = memory.until - self._store.now()
        if left > 0:
            raise ReplyInProgress("a reply in this conversation is still being written", retry_after=1.0)
        return self._closed(now, memory)

    def current(self, now: Conversation) -> Conversation:
        """The conversation as it is shown: a reply that lost its writer has ended."""
        try:
            return self.settled(now)
        except ReplyInProgress:
            return now

    def answer(
        self, route: Route, said: Said, speaker: Speaker, specs: Sequence[ToolSpec], now: Conversation
    ) -> tuple[Understanding, Told]:
        """What the models say to a message whose place is written; what they ask for is not done yet.

        Raises what the stores raise.
        """
        memory = speaker.memory
        german = is_german(said.text, memory.german)
        desk = Desk(said.text, memory.context, specs, speaker.forecast)
        asked = question(said.text, memory, self._before(now), self._song(memory, now.owner), specs)
        settings = self._settings.fresh()
        times = chain.Times(settings.chat_seconds, settings.chat_first_seconds, settings.chat_retries)
        found = chain.ask(route.models, times, asked, desk.call, _Writing(self._store, now).write)
        tokens = found.tokens
        if tokens.read or tokens.written:
            self._store.chat_spending.add(now.owner, Spent(tokens.paid, tokens.read, tokens.written))
        counted = (tokens.read, tokens.written) if tokens.read or tokens.written else None
        if found.provider is None:
            none = ProvidersFailed(f"no language model has answered ({found.why})")
            notice = {"code": none.code, "detail": none.detail}
            told = Told(cost=tokens.cost, tokens=counted, notice=notice, problem=None if route.rules else notice)
            return speaker.understood(), told if route.rules else replace(told, provider=route.models[-1].name)
        told = Told(found.provider.name, found.provider.model, found.words.strip(), counted, tokens.cost)
        if found.why:
            failed = ProviderFailed(f"the language model has not answered to the end ({found.why})")
            return desk.understanding(german), replace(told, problem={"code": failed.code, "detail": failed.detail})
        return _spoken(desk.understanding(german), told)

    def _closed(self, now: Conversation, memory: Memory) -> Conversation:
        """End a reply whose writer is gone."""
        number = memory.writing or 0
        stub = self._store.conversations.message(now.id, number)
        detail = "the process that wrote it ended"
        lost = {"code": ReplyInterrupted.code, "detail": detail}
        text = "\n\n".join(filter(None, (stub.text if stub else "", reply("problem", memory.german, detail))))
        changed = [replace(stub, kind="problem", text=text, body={"provider": None, "problem": lost})] if stub else []
        after = replace(now, state=replace(memory, writing=None, until=0.0).as_json())
        self._store.conversations.write(after, (), changed)  # where another process was first, it has done the same
        return self._store.conversations.get(now.id) or now

    def _before(self, now: Conversation) -> list[Line]:
        """What was said before the message and its reply, the oldest first."""
        page = self._store.conversations.messages(now.id, MOST_LINES + 2, None)
        return [Line(each.role == "user", each.text) for each in page.messages[2:]][::-1]

    def _song(self, memory: Memory, owner: str) -> str | None:
        """The name of the song that is worked on, if it is the owner's; a link is not sent to a provider."""
        source = memory.context.current.source
        if source is None:
            return None
        if upload_id := source.get("upload_id"):
            upload = self._store.uploads.find(str(upload_id))
            return upload.filename if upload is not None and upload.owner == owner else ""
        job = self._store.get(str(source["job_id"])) if source.get("job_id") else None
        return job.name if job is not None and job.owner == owner else ""


class _Writing:
    """Writes the words of a reply as they come, in lumps."""

    def __init__(self, store: JobStore, now: Conversation) -> None:
        self._store = store
        self._id, self._number = now.id, now.messages  # the reply's place is the last message
        self._wrote = -FLUSH_SECONDS

    def write(self, text: str) -> None:
        if time.monotonic() - self._wrote < FLUSH_SECONDS:
            return
        try:
            self._store.conversations.grow(self._id, self._number, text)
        except StemsvcError as error:  # the whole text comes at its end
            log.warning("can't write a reply's words", code=error.code, detail=error.detail)
        self._wrote = time.monotonic()


def _own_words(heard: Understanding) -> bool:
    """Whether the message has a yes in it, or does nothing but refuse, stop or forget."""
    intents = {each.intent for each in heard.parts}
    return Intent.CONFIRM in intents or bool(intents and intents <= OWN_WORDS)


def _spoken(heard: Understanding, told: Told) -> tuple[Understanding, Told]:
    """An answer that says nothing and asks for nothing is a problem, not an empty message."""
    if told.words or heard.actions or heard.context.pending is not None:
        return heard, told
    empty = ProviderFailed("the language model has answered with nothing")
    return heard, replace(told, problem={"code": empty.code, "detail": empty.detail})
