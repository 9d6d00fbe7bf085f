"""What a kind's work gets and what it returns: `work(params, inputs, attempt) -> Made`."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from stemsvc.jobs.encoding import Encoding
from stemsvc.models.catalog import Catalog

if TYPE_CHECKING:
    from stemsvc.host.soundfont import SoundFont
    from workers.audio.decode import Limits
    from workers.host.models import Models

CHUNK = 1 << 20


# Which of a job's outputs are wanted, by their names and facts.
ChooseOutputs = Callable[[Mapping[str, Mapping[str, Any]]], Sequence[str]]


@dataclass(frozen=True)
class LocalInput:
    """An input's file on this machine's scratch disk. `output` names the output of another job that it is, if any."""

    path: Path
    name: str
    role: str = "source"
    sha256: str = ""
    output: str = ""


@dataclass(frozen=True)
class MadeFile:
    """A file that the work wrote into the attempt's folder; clients see its `facts`, which are JSON."""

    path: Path
    content_type: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    sha256: str | None = None  # where the work knows it already

    @property
    def bytes(self) -> int:
        """Size of the file."""
        return self.path.stat().st_size

    @cached_property
    def digest(self) -> str:
        """The file's sha256, in hex."""
        if self.sha256 is not None:
            return self.sha256
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @cached_property
    def crc32(self) -> int:
        """The file's checksum, which a zip of it needs."""
        found = 0
        with self.path.open("rb") as file:
            while part := file.read(CHUNK):
                found = zlib.crc32(part, found)
        return found


@dataclass(frozen=True)
class Made:
    """What the work made: its files by name, and facts, which are JSON.

    `source` are the facts of the first input; a track has at least `duration_seconds`. `named` says that the files have
    the inputs' names in them: they serve no job whose inputs have others. `previews` are files for players, which are
    stored and erased with the others but are no results: `stemsvc.control.present` knows their names.
    """

    files: Mapping[str, MadeFile]
    source: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    named: bool = False
    previews: Mapping[str, MadeFile] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Playing time of the track; 0 if there is none."""
        return float(self.source.get("duration_seconds", 0.0))


class Attempt(Protocol):
    """What one attempt offers to the work."""

    @property
    def number(self) -> int:
        """Which of the job's attempts this is, from 1 on."""

    @property
    def folder(self) -> Path:
        """An empty folder on the scratch disk. It is deleted with the attempt."""

    @property
    def device(self) -> str:
        """Where to compute: `cpu`, `cuda`, `cuda:N` or `mps`."""

    @property
    def encoding(self) -> Encoding:
        """The format in which the work must write audio."""

    @property
    def catalog(self) -> Catalog:
        """All models of the service."""

    @property
    def models(self) -> Models:
        """Networks that this process keeps in memory."""

    @property
    def soundfont(self) -> SoundFont | None:
        """The operator's instruments, where there are any."""

    @property
    def limits(self) -> Limits:
        """The decoder's limits on a track."""

    @property
    def preview(self) -> str:
        """The codec of previews: `mp3`, `flac` or `off`."""

    def report(self, stage: str, done: int = 0, of: int = 0) -> None:
        """Report progress. What this raises ends the work: the job was canceled, or takes too long."""

    def warn(self, code: str, detail: str) -> None:
        """Give the job a warning, if this attempt succeeds. Codes are those of `stemsvc.jobs.warnings`."""

    def take_instead(self, params: Any, code: str, detail: str) -> None:
        """Go on with other params: those of another model, where the job's can't be had or fails. The job has them from
        then on, as what its result depends on, and a warning if this attempt succeeds."""

    def earlier(self, kind: str, source: LocalInput, choose: ChooseOutputs) -> list[LocalInput]:
        """Outputs of the newest job of that kind that the job's owner has made of the same `source`, as files here.

        `choose` gets all outputs with their facts, and names those that are fetched. None where there is no such job,
        or where the client wants nothing of earlier jobs.
        """

    def computing(self, seconds: float) -> AbstractContextManager[None]:
        """Wait for a turn on the device, then hold it while the context lasts. The track, or the part of it that the
        job works on, plays `seconds`.

        Raises `UsageError` `track_too_long`, `too_much_work` or `track_exceeds_quota`, or `TransientError`
        `quota_exceeded`, if the length, which is known only now, is too much.
        """


Work = Callable[[Any, Sequence[LocalInput], Attempt], Made]
