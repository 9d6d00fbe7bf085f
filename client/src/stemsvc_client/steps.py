"""What a flow asks of its driver, one step at a time.

A flow is a generator: it decides what comes next and does nothing itself. `Client` drives flows with blocking calls,
`AsyncClient` with awaited ones, so that both follow the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from stemsvc_client.messages import Request

T = TypeVar("T")
Flow = Generator["Step", Any, T]


@dataclass(frozen=True)
class Send:
    """Send a request; the result is its `Answer`. Raises `NoAnswer`."""

    request: Request


@dataclass(frozen=True)
class Open:
    """Send a request and leave its body to `Read`; the result is the `Answer`, with its body where it is an error.

    `chunk` is the number of bytes of each part; None: as they come. Raises `NoAnswer`.
    """

    request: Request
    chunk: int | None = None


@dataclass(frozen=True)
class Read:
    """The next part of the body that was opened; None at its end. Raises `NoAnswer`."""


@dataclass(frozen=True)
class Close:
    """Close the body that was opened."""


@dataclass(frozen=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True)
class Work:
    """Do blocking work of this machine; the result is what it returns."""

    act: Callable[[], Any]


@dataclass(frozen=True)
class Tell:
    """Call a listener of the caller's, which may be a coroutine function where the client is asynchronous."""

    listener: Callable[[Any], Any]
    value: Any


@dataclass(frozen=True)
class Emit:
    """Hand a value to who iterates over the flow."""

    value: Any


Step = Send | Open | Read | Close | Pause | Work | Tell | Emit


@dataclass(frozen=True)
class Emitting(Generic[T]):
    """A flow whose values of `T` are iterated over."""

    flow: Flow[None]
