"""What a kind's work is given and what it gives back: `work(params, inputs, attempt) -> Made`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from stemsvc.jobs.encoding import Encoding
from stemsvc.models.catalog import Catalog

if TYPE_CHECKING:
    from workers.audio.decode import Limits
    from workers.kinds.separate.models import Models


@dataclass(frozen=True)
class LocalInput:
    """An input's file on this machine's scratch disk."""

    path: Path
    name: str
    role: str = "source"
    sha256: str = ""


@dataclass(frozen=True)
class MadeFile:
    """A file that the work wrote into the attempt's folder; `facts` are what clients see of it, JSON."""

    path: Path
    content_type: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    sha256: str | None = None  # where the work knows it already

    @property
    def bytes(self) -> int:
        """Its size."""
        return self.path.stat().st_size

    @cached_property
    def digest(self) -> str:
        """Its sha256."""
        if self.sha256 is not None:
            return self.sha256
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Made:
    """What the work came to: its files by name, and facts, all JSON.

    `source` is what the first input turned out to be; of a track at least `duration_seconds`.
    """

    files: Mapping[str, MadeFile]
    source: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long the track plays; 0 where there is none."""
        return float(self.source.get("duration_seconds", 0.0))


class Attempt(Protocol):
    """What one attempt offers to the work."""

    @property
    def number(self) -> int:
        """Which of the job's attempts this is, from 1 on."""

    @property
    def folder(self) -> Path:
        """An empty folder on the scratch disk, gone with the attempt."""

    @property
    def device(self) -> str:
        """Where to compute: `cpu`, `cuda`, `cuda:N` or `mps`."""

    @property
    def encoding(self) -> Encoding:
        """How audio is to be written."""

    @property
    def catalog(self) -> Catalog:
        """The models there are."""

    @property
    def models(self) -> Models:
        """Networks that this process keeps in memory."""

    @property
    def limits(self) -> Limits:
        """What a track may be, for the decoder."""

    def report(self, stage: str, done: int = 0, of: int = 0) -> None:
        """Say how far it is. What it raises ends the work: the job was canceled, or takes too long."""

    def computing(self, seconds: float) -> AbstractContextManager[None]:
        """Hold the device while it computes for a track of `seconds`; waits for its turn.

        Raises `UsageError` `track_too_long` or `too_much_work` where the length, known only now, is too much.
        """


Work = Callable[[Any, Sequence[LocalInput], Attempt], Made]
