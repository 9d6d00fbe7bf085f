"""Requests and answers as data: what is sent, not how."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Song:
    """A file of this machine that a request carries under `name`. It is opened anew for each try."""

    path: Path
    name: str


@dataclass(frozen=True)
class Request:
    """One request. `url` is a path of the service, or a whole URL, which gets no key.

    The body is `json`, or a multipart form of `fields` with the song as `file`, or without fields the song alone.
    `repeatable` says that a second request does no harm where the first one may have arrived. `timeout` is in seconds;
    None: the client's.
    """

    method: str
    url: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    fields: Mapping[str, str] | None = None
    song: Song | None = None
    repeatable: bool = True
    timeout: float | None = None

    @property
    def foreign(self) -> bool:
        """Whether it goes to a signed URL: the storage must not see the key, and refuses a request that carries it."""
        return "://" in self.url


@dataclass(frozen=True)
class Answer:
    """The answer to a request. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def retry_after(self) -> float | None:
        """`Retry-After` in seconds, which may be written as a date; None where it is missing or unreadable."""
        text = self.headers.get("retry-after", "").strip()
        if text.isdecimal():
            return float(text)
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
        except ValueError:
            return None


def form(fields: Mapping[str, Any]) -> dict[str, str]:
    """Fields as a form has them: lists of names joined by commas, objects as JSON; None is left out."""
    return {name: _text(value) for name, value in fields.items() if value is not None}


def body(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as a JSON body has them; None is left out."""
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    return {name: value for name, value in plain.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return ",".join(map(_text, value))
    if isinstance(value, (bool, Mapping)):
        return json.dumps(value)
    return str(value)
