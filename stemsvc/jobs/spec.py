"""What a client asks of a job: its kind and the kind's own params, its inputs, its envelope, its encoding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stemsvc.jobs.encoding import Encoding


@dataclass(frozen=True)
class Envelope:
    """What a client may ask for in a job of any kind."""

    device: str = "auto"  # a kind of device (`cuda`) or one device (`cuda:0`); `auto`: whichever is best
    priority: str = "normal"  # empty: the client named none, and accepting the job settles it
    cache: bool = True  # whether an earlier job's files may be reused
    webhook_url: str = ""
    webhook_events: tuple[str, ...] = ()  # names from `stemsvc.accounts.webhooks`
    metadata: dict[str, Any] = field(default_factory=dict)  # the client's own data, returned unchanged


@dataclass(frozen=True)
class Input:
    """One track that a job works on. `key` is the storage key of its bytes, `bytes` their number; 0 until fetched."""

    name: str
    key: str = ""
    bytes: int = 0
    role: str = "source"
    url: str = ""  # where it is fetched from; empty where it was sent
    sha256: str | None = None
    upload_id: str = ""  # of the upload that it was copied from
    from_job: str = ""  # the job, an output of which it is; while that one is not done, there is no `key`
    from_output: str = ""  # that output's name
    several: bool = False  # while it is awaited: whether all audio files of `from_job` may come in its place

    @property
    def awaited(self) -> bool:
        """Whether another job has still to make it."""
        return bool(self.from_job) and not self.key


@dataclass(frozen=True)
class JobSpec:
    """What a job must do, checked by its kind. `params` is what `Kind.stored` returns: plain JSON.

    `more` keeps the keys of a row's options that belong to neither envelope nor encoding: only another release knows
    them.
    """

    kind: str
    params: dict[str, Any] = field(default_factory=dict)
    envelope: Envelope = field(default_factory=Envelope)
    encoding: Encoding = field(default_factory=Encoding)
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The model that it names; empty where its kind needs none."""
        return str(self.params.get("model") or "")
