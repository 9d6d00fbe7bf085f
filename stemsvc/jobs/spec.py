"""What a job is asked to do: its kind and the kind's own params, its inputs, its envelope, its encoding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stemsvc.jobs.encoding import Encoding


@dataclass(frozen=True)
class Envelope:
    """What a client may say of a job of any kind."""

    device: str = "auto"  # a kind of device, or one of them; `auto`: whichever is best
    priority: str = "normal"
    cache: bool = True  # whether an earlier job's files may be taken
    webhook_url: str = ""
    webhook_events: tuple[str, ...] = ()  # names of `stemsvc.accounts.webhooks`
    metadata: dict[str, Any] = field(default_factory=dict)  # the client's own, given back as it came


@dataclass(frozen=True)
class Input:
    """One track that a job works on. `key` is where its bytes lie in storage; empty while they must be fetched."""

    name: str
    key: str = ""
    bytes: int = 0
    role: str = "source"
    url: str = ""  # where it is fetched from; empty where it was sent
    sha256: str | None = None


@dataclass(frozen=True)
class JobSpec:
    """What a job shall do, checked by its kind. `params` is as `Kind.stored` gives it, JSON throughout.

    `more` is what a row's options have beyond envelope and encoding: keys that only another release knows.
    """

    kind: str
    params: dict[str, Any] = field(default_factory=dict)
    envelope: Envelope = field(default_factory=Envelope)
    encoding: Encoding = field(default_factory=Encoding)
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The model that it names; empty where its kind has none."""
        return str(self.params.get("model") or "")
