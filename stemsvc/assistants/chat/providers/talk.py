"""What passes between us and a language model, whatever it speaks."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class ToolSpec:
    """A tool that a model may call: its name, what it does, the JSON Schema of its arguments."""

    name: str
    words: str
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool by a model. `arguments` is None where what it sent is no JSON object."""

    id: str
    name: str
    arguments: Mapping[str, Any] | None


@dataclass(frozen=True)
class Line:
    """What was said before, by the user or in reply to it."""

    by_user: bool
    text: str


@dataclass(frozen=True)
class Question:
    """What a model gets: our instructions, what was said before, what the conversation is about as JSON, the message.

    `data` has words of others, such as titles: it is sent as data, beside the message and never in the instructions.
    """

    instructions: str
    before: Sequence[Line]
    data: str
    message: str
    tools: Sequence[ToolSpec] = ()


@dataclass(frozen=True)
class Tokens:
    """How many tokens a model has read and written. `paid` is what is known of their cost in US dollars."""

    read: int = 0
    written: int = 0
    paid: float = 0.0
    known: bool = True  # whether `paid` is all of it

    @property
    def cost(self) -> float | None:
        """US dollars; None where a part of it is not known, which is never 0."""
        return self.paid if self.known else None

    def __add__(self, more: Tokens) -> Tokens:
        read, written = self.read + more.read, self.written + more.written
        return Tokens(read, written, self.paid + more.paid, self.known and more.known)


class TalkError(Exception):
    """A model has not answered, or has stopped within its answer.

    `again`: whether the same provider may be asked once more, and after how many seconds, if it said so. `why` is for
    people: it has nothing that the provider said.
    """

    def __init__(self, why: str, again: bool = False, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.again = again
        self.retry_after = retry_after


class Talk(Protocol):
    """One answer of one model: it is listened to, its calls get their results, and it goes on."""

    tokens: Tokens  # so far

    def listen(self, first_seconds: float) -> AsyncIterator[str]:
        """The words of the next response as they come; empty ones stand for what is no words, such as calls.

        `first_seconds` is the longest time until the first of them. Raises `TalkError`.
        """

    @property
    def calls(self) -> Sequence[ToolCall]:
        """What the response that was listened to last has called."""

    def give(self, results: Sequence[Mapping[str, Any]]) -> None:
        """The results of these calls, in their order."""


def plain(text: str) -> str:
    """A model's words without what steers a terminal or turns the direction of writing; lines stay lines."""
    return "".join(
        each if each in "\n\t" or unicodedata.category(each) not in ("Cc", "Cf", "Zl", "Zp", "Cs", "Co") else " "
        for each in text
    )
