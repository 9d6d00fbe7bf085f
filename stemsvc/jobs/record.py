"""The job: its record, its states and the only legal moves between them, its timeline."""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass, field
from typing import Any

from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.spec import Envelope, Input, JobSpec


class JobState(enum.StrEnum):
    """Where a job stands."""

    QUEUED = "queued"  # the row is durable; a message for a worker exists or will be published
    RUNNING = "running"  # one worker holds the lease
    SUCCEEDED = "succeeded"  # every file asked for is in storage
    FAILED = "failed"  # ended with an error code
    CANCELED = "canceled"  # ended by the client
    EXPIRED = "expired"  # succeeded once, its files have been erased


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
    spec: JobSpec
    pool: str
    inputs: tuple[Input, ...] = ()
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
    source: dict[str, Any] = field(default_factory=dict)  # what the track was: sample_rate, channels, frames, codec
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)  # name -> key, bytes, sha256, content_type, facts
    facts: dict[str, Any] = field(default_factory=dict)  # what the work found out
    owner: str = ""  # who sent it; empty where there are no keys
    next_pool: str | None = None  # where the job goes from the pool that fetches its inputs
    cache_key: str | None = None  # of what its result depends on; see `stemsvc.kinds.cache_key`
    cached: bool = False  # whether its files are another job's
    manifest_key: str | None = None
    priority: int = int(Priority.NORMAL)
    cost: float = 1.0  # of device time, as predicted, in seconds: what its owner's share is charged with
    turn: float = 0.0  # its place among its pool's jobs of its priority; see `jobstore.line`
    trace: str | None = None  # W3C traceparent of the request that made it

    @property
    def kind(self) -> str:
        """What it does."""
        return self.spec.kind

    @property
    def params(self) -> dict[str, Any]:
        """Its kind's own params, as they are stored."""
        return self.spec.params

    @property
    def envelope(self) -> Envelope:
        """What its client said of it."""
        return self.spec.envelope

    @property
    def encoding(self) -> Encoding:
        """How its files are written."""
        return self.spec.encoding

    @property
    def name(self) -> str:
        """What its first input is called; its kind where it has none."""
        return self.inputs[0].name if self.inputs else self.kind

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


def input_key(job_id: str, number: int = 0) -> str:
    """Where a job's sent file lies in storage; `number` counts its inputs from 0."""
    return f"jobs/{job_id}/input" + (f"-{number}" if number else "")
