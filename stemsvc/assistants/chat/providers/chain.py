"""Asks language models in the operator's order, until one has begun to answer.

Another one is asked only before the first token: after it, a failure ends the answer. Nothing that a model calls has an
effect before the whole answer is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from stemsvc.assistants.chat.providers.provider import Provider
from stemsvc.assistants.chat.providers.talk import Question, Talk, TalkError, Tokens, ToolCall, plain
from stemsvc.observe.loggers import get_logger

log = get_logger()
MOST_ROUNDS = 6  # responses in one answer: each but the last one calls tools
MOST_CALLS = 24  # of tools in one answer
MOST_WORDS = 4000  # characters
PAUSE_SECONDS = 0.5  # before the same provider is asked again, where it does not say how long
Words = Callable[[str], None]
Act = Callable[[ToolCall], Mapping[str, Any]]


@dataclass(frozen=True)
class Times:
    """How long the whole answer and the first token may take, in seconds, and how often a provider is asked again."""

    seconds: float = 30.0
    first_seconds: float = 10.0
    retries: int = 1


@dataclass
class Answer:
    """What has come of a question. `provider` is who has begun to answer, None where nobody has.

    `why` says why there is no whole answer, in words for people; empty where there is one.
    """

    words: str = ""
    provider: Provider | None = None
    tokens: Tokens = field(default_factory=Tokens)
    why: str = ""


def ask(providers: Sequence[Provider], times: Times, question: Question, act: Act, words: Words) -> Answer:
    """The answer of the first provider that begins one. `act` does what a call asks for, `words` gets the text so far.

    What a call does must have no effect yet: the answer may still fail. Raises what `act` and `words` raise.
    """
    return asyncio.run(_Asking(loaded(providers).opened, times, question, act, words).answer(providers))


def loaded(providers: Sequence[Provider]) -> ModuleType:
    """The adapter, with what these speak. It takes seconds to load, once: an answer's time is counted from then on."""
    from stemsvc.assistants.chat.providers import adapter

    for protocol in dict.fromkeys(each.protocol for each in providers):
        adapter.load(protocol)
    return adapter


class _Asking:
    def __init__(self, opened: Callable[..., Any], times: Times, question: Question, act: Act, words: Words) -> None:
        self._opened = opened
        self._times = times
        self._question = question
        self._act = act
        self._words = words
        self._answer = Answer()

    async def answer(self, providers: Sequence[Provider]) -> Answer:
        answer, failures = self._answer, []
        try:
            async with asyncio.timeout(self._times.seconds):
                for provider in providers:
                    try:
                        await self._tried(provider)
                        return answer
                    except TalkError as error:
                        log.warning("a language model did not answer", provider=provider.name, why=error.why)
                        failures.append(f"{provider.name}: {error.why}")
                        if answer.provider is not None:
                            break
        except TimeoutError:
            failures.append(f"the answer took longer than {self._times.seconds:g} s")
        answer.why = "; ".join(failures)
        return answer

    async def _tried(self, provider: Provider) -> None:
        """Ask a provider, and again while it may be. Raises `TalkError`."""
        patience = min(self._times.first_seconds, self._times.seconds)
        for left in range(self._times.retries, -1, -1):
            try:
                return await self._asked(provider)
            except TalkError as error:
                pause = PAUSE_SECONDS if error.retry_after is None else error.retry_after
                if self._answer.provider is not None or not error.again or left == 0 or pause > patience:
                    raise
                await asyncio.sleep(pause)
        return None

    async def _asked(self, provider: Provider) -> None:
        talk: Talk
        async with self._opened(provider, self._question, self._times.seconds) as talk:
            before = self._answer.tokens
            try:
                await self._rounds(provider, talk)
            finally:
                self._answer.tokens = before + talk.tokens

    async def _rounds(self, provider: Provider, talk: Talk) -> None:
        called = 0
        for _ in range(MOST_ROUNDS):
            await self._heard(provider, talk)
            if not talk.calls:
                return
            called += len(talk.calls)
            if called > MOST_CALLS:
                break
            talk.give([self._act(call) for call in talk.calls])
        raise TalkError("it calls tools without end")

    async def _heard(self, provider: Provider, talk: Talk) -> None:
        answer, fresh = self._answer, True
        # once somebody has begun, the limit of the whole answer is what counts
        first = self._times.first_seconds if answer.provider is None else self._times.seconds
        async for piece in talk.listen(first):
            answer.provider = provider
            text = plain(piece)
            if not text or len(answer.words) >= MOST_WORDS:
                continue
            gap = "\n\n" if fresh and answer.words else ""
            fresh = False
            answer.words = f"{answer.words}{gap}{text}"[:MOST_WORDS]
            self._words(answer.words)
        answer.provider = provider
