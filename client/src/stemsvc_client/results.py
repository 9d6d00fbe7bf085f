"""What the service answers, as types. A field that this release does not know stays in `raw`; one that is missing has
its default, so that older and newer services can be read.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self, get_args, get_origin, get_type_hints

END_STATES = ("succeeded", "failed", "canceled", "expired")


@dataclass(frozen=True)
class Part:
    """A JSON object of the service. `raw` is the object itself; `part["name"]` reads it."""

    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False, kw_only=True)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read it from JSON."""
        values = {name: read(data[name]) for name, read in cls._readers().items() if data.get(name) is not None}
        return cls(**values, raw=data)

    @classmethod
    @functools.cache
    def _readers(cls) -> dict[str, Callable[[Any], Any]]:
        """By field, how its JSON value becomes ours."""
        return {name: _reader(hint) for name, hint in get_type_hints(cls).items() if name != "raw"}

    def __getitem__(self, name: str) -> Any:
        return self.raw[name]

    def get(self, name: str, default: Any = None) -> Any:
        """A field of the JSON object."""
        return self.raw.get(name, default)


def _reader(hint: Any) -> Callable[[Any], Any]:
    kinds = [each for each in (hint, *get_args(hint)) if isinstance(each, type)]
    inner = next((each for each in kinds if issubclass(each, Part)), None)
    if get_origin(hint) is tuple:
        return lambda found: tuple(map(inner.of if inner else str, found))
    if inner is None:
        return datetime.fromisoformat if datetime in kinds else lambda found: found
    if get_origin(hint) is Mapping:
        return lambda found: {name: inner.of(each) for name, each in found.items()}
    return inner.of


@dataclass(frozen=True)
class Progress(Part):
    """How far a job has come: `fraction` is 0 to 1, `eta_seconds` None while nobody knows."""

    stage: str = ""
    fraction: float = 0.0
    eta_seconds: float | None = None


@dataclass(frozen=True)
class Problem(Part):
    """A code for programs and words for people: a job's error, or a warning of a job."""

    code: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Link(Part):
    """A file that can be downloaded by a signed URL until it expires."""

    url: str = ""
    filename: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True)
class File(Link):
    """A file that a job made. Only audio has a length and a rate (Hz); `frames` are samples per channel."""

    bytes: int | None = None
    sha256: str = ""
    content_type: str = ""
    duration_seconds: float | None = None
    frames: int | None = None
    sample_rate: int | None = None
    clipped_samples: int | None = None
    loudness_lufs: float | None = None
    peak_db: float | None = None
    true_peak_db: float | None = None
    silent: bool | None = None
    clipped: bool | None = None


@dataclass(frozen=True)
class Move(Part):
    """An entry of a job's timeline."""

    at: datetime | None = None
    to: str = ""
    why: str = ""
    worker: str | None = None


@dataclass(frozen=True)
class Job(Part):
    """A job. In lists it has no files, parameters and timeline."""

    id: str = ""
    kind: str = "separate"
    state: str = ""
    model: str = ""
    filename: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress = Progress()
    queue_position: int | None = None
    priority: str = ""
    pool: str = ""
    attempt: int = 0
    max_attempts: int = 0
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    cached: bool = False
    files: Mapping[str, File] = field(default_factory=dict)
    manifest: Link | None = None
    archive: Link | None = None
    warnings: tuple[Problem, ...] = ()
    error: Problem | None = None
    timeline: tuple[Move, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in END_STATES

    def moved(self, event: Event) -> Job:
        """The job after an event of its stream."""
        if event.event == "progress":
            raw = {**self.raw, "progress": dict(event.data)}
        else:
            raw = {**self.raw, "state": event.data.get("to", self.state)}
        return Job.of(raw)


@dataclass(frozen=True)
class Event(Part):
    """An event of a job's stream: `state`, an entry of the timeline with an `id`, or `progress`."""

    event: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True)
class Model(Part):
    """A model that a job can name."""

    name: str = ""
    summary: str = ""
    family: str = ""
    stems: tuple[str, ...] = ()
    sample_rate: int | None = None
    licence: str = ""
    default: bool = False
    devices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Account(Part):
    """What a key used; `key` is None for jobs without one."""

    key: str | None = None
    jobs: Mapping[str, int] = field(default_factory=dict)
    cached: int = 0
    audio_minutes: float = 0.0
    device_seconds: float = 0.0
    cost: float = 0.0


@dataclass(frozen=True)
class Usage(Part):
    """What was used between two moments."""

    since: datetime | None = None
    until: datetime | None = None
    currency: str = ""
    accounts: tuple[Account, ...] = ()


@dataclass(frozen=True)
class BatchItem(Part):
    """The result of one job of a batch: a job, or the error that it would have got alone."""

    status: int = 0
    job: Job | None = None
    error: Problem | None = None


@dataclass(frozen=True)
class Update:
    """How far a song has come in `run`: `stage` is `uploading`, a stage of the job, or `downloading`.

    `fraction` is 0 to 1, of that stage. `job` is None until the service has accepted it.
    """

    song: str
    stage: str
    fraction: float
    job: Job | None = None


@dataclass(frozen=True)
class Made:
    """A job that succeeded, and where its files are now, by name."""

    job: Job
    paths: Mapping[str, Path]
