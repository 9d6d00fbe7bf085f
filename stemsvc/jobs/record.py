"""The job: its record, its states and the only legal moves between them, its options, its timeline."""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass, field
from typing import Any

from stemsvc.errors import ImpossibleFormat
from stemsvc.kinds.separate.options import SeparationOptions


class JobState(enum.StrEnum):
    """Where a job stands."""

    QUEUED = "queued"  # the row is durable; a message for a worker exists or will be published
    RUNNING = "running"  # one worker holds the lease
    SUCCEEDED = "succeeded"  # every stem asked for is in storage
    FAILED = "failed"  # ended with an error code
    CANCELED = "canceled"  # ended by the client
    EXPIRED = "expired"  # succeeded once, its stems have been erased


class Priority(enum.IntEnum):
    """Which of a pool's jobs go first: all of one class before any of the next."""

    HIGH = 0
    NORMAL = 1
    LOW = 2

    @property
    def word(self) -> str:
        """As clients say it."""
        return self.name.lower()


WAITING_FOR_POOL = "waiting_for_pool"  # what a queued job's stage is while no worker of its pool lives

MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELED}),
    JobState.RUNNING: frozenset({JobState.SUCCEEDED, JobState.QUEUED, JobState.FAILED, JobState.CANCELED}),
    JobState.SUCCEEDED: frozenset({JobState.EXPIRED}),
    JobState.FAILED: frozenset(),
    JobState.CANCELED: frozenset(),
    JobState.EXPIRED: frozenset(),
}

# Formats and the depths each can carry, the faithful default first. Lossy codecs have no depth.
FORMATS: dict[str, tuple[str, ...]] = {
    "wav": ("16", "24", "float32"),
    "flac": ("16", "24"),
    "mp3": (),
    "aac": (),
    "opus": (),
}
CONTENT_TYPES = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "aac": "audio/mp4",
    "opus": "audio/ogg",
}
EXTENSIONS = {"wav": "wav", "flac": "flac", "mp3": "mp3", "aac": "m4a", "opus": "opus"}


@dataclass(frozen=True)
class JobOptions:
    """What the client asked for; checked against the catalog before a job exists."""

    model: str
    device: str = "auto"
    stems: tuple[str, ...] = ()  # names of `stemsvc.kinds.separate.stems`, in the model's order
    format: str = "flac"
    bit_depth: str | None = None  # "16", "24" or "float32"; None for lossy formats
    residual: bool = False
    filename_template: str = ""  # see `stemsvc.jobs.filenames`
    metadata: dict[str, Any] = field(default_factory=dict)  # the client's own, given back as it came
    sample_rate: int | None = None  # Hz of the stems; the source's where None
    source_url: str = ""  # where the track is fetched from; empty where it was sent
    webhook_url: str = ""
    webhook_events: tuple[str, ...] = ()  # names of `stemsvc.accounts.webhooks`
    priority: str = Priority.NORMAL.word
    cache: bool = True  # whether an earlier job's stems may be taken
    separation: SeparationOptions = field(default_factory=SeparationOptions)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the files a job with these options makes."""
        return (*self.stems, "residual") if self.residual else self.stems


def check_encoding(format: str, bit_depth: str | None) -> str | None:
    """The depth that `format` will carry; raises `UsageError` `impossible_format` where the pair can't exist."""
    if format not in FORMATS:
        raise ImpossibleFormat(f"format {format!r} is none of {', '.join(FORMATS)}")
    depths = FORMATS[format]
    if bit_depth is None:
        return depths[0] if depths else None
    if bit_depth not in depths:
        can = f"one of {', '.join(depths)}" if depths else "no bit_depth, it is lossy"
        raise ImpossibleFormat(f"{format} cannot carry bit_depth {bit_depth}; it takes {can}")
    return bit_depth


@dataclass(frozen=True)
class Event:
    """One line of a job's timeline; `at` in seconds since the epoch, by the database's clock."""

    at: float
    from_state: str | None
    to_state: str
    why: str
    worker: str | None = None
    id: int = field(default=0, compare=False)  # grows with time, within a job


@dataclass(frozen=True)
class Job:
    """A job as the store holds it. Times are seconds since the epoch by the database's clock."""

    id: str
    state: JobState
    options: JobOptions
    pool: str
    input_key: str
    input_name: str
    input_bytes: int
    attempt: int = 0
    max_attempts: int = 3
    lease_owner: str | None = None
    lease_expires_at: float | None = None
    fraction: float = 0.0
    stage: str = "queued"
    request_id: str | None = None
    created_at: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    not_before: float | None = None
    published_at: float | None = None
    error_code: str | None = None
    error_detail: str | None = None
    source: dict[str, Any] = field(default_factory=dict)  # sample_rate, channels, frames, seconds, codec
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)  # name -> key, bytes, sha256, seconds
    owner: str = ""  # who sent it; empty where there are no keys
    next_pool: str | None = None  # where the job goes from the pool that fetches its track
    input_sha256: str | None = None
    cache_key: str | None = None  # of what its result depends on; see `stemsvc.kinds.separate.cache_key`
    cached: bool = False  # whether its stems are another job's
    manifest_key: str | None = None
    priority: int = int(Priority.NORMAL)
    cost: float = 1.0  # of device time, as predicted, in seconds: what its owner's share is charged with
    turn: float = 0.0  # its place among its pool's jobs of its priority; see `jobstore.line`
    trace: str | None = None  # W3C traceparent of the request that made it

    @property
    def finished(self) -> bool:
        """Whether no worker will touch this job again."""
        return self.state not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class JobView:
    """A job as it stood at one moment: its timeline, and how many jobs of its pool wait before it (None: it runs)."""

    job: Job
    timeline: list[Event]
    queue_position: int | None


@dataclass(frozen=True)
class Lease:
    """The right of one attempt to write to its job. `attempt` is the fencing token: it only ever grows."""

    job_id: str
    attempt: int
    owner: str

    @property
    def prefix(self) -> str:
        """Where this attempt puts its objects, apart from every other attempt's."""
        return f"jobs/{self.job_id}/attempt-{self.attempt}"


def new_job_id() -> str:
    """A random id that tells nothing about other jobs."""
    return uuid.uuid4().hex


def input_key(job_id: str) -> str:
    """Where a job's uploaded file lies in storage."""
    return f"jobs/{job_id}/input"
