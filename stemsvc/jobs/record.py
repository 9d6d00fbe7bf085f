"""The job: its record, its states and the only legal moves between them, its timeline."""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass, field
from typing import Any

from stemsvc.errors import is_usage
from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.spec import Envelope, Input, JobSpec
from stemsvc.jobs.warnings import JobWarning


class JobState(enum.StrEnum):
    """The states of a job; `MOVES` has the legal moves between them."""

    QUEUED = "queued"  # the row is durable; a message for a worker exists or will be published
    RUNNING = "running"  # one worker holds the lease
    SUCCEEDED = "succeeded"  # every file asked for is in storage
    FAILED = "failed"  # ended with an error code
    CANCELED = "canceled"  # ended by the client
    EXPIRED = "expired"  # succeeded once, its files have been erased


LIVE = (JobState.QUEUED, JobState.RUNNING)
ENDS = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED)  # what an attempt or a client ends a job with
WITHOUT_FILES = (JobState.FAILED, JobState.CANCELED, JobState.EXPIRED)


class Priority(enum.IntEnum):
    """Which of a pool's jobs go first: all jobs of a priority go before any job of the next."""

    HIGH = 0
    NORMAL = 1
    LOW = 2

    @property
    def word(self) -> str:
        """The name that clients use, such as `high`."""
        return self.name.lower()


WAITING_FOR_POOL = "waiting_for_pool"  # the stage of a queued job while its pool has no live worker
WAITING_FOR_INPUTS = "waiting_for_inputs"  # the stage of a workflow's job until the jobs before it have ended

MOVES: dict[JobState, frozenset[JobState]] = {
    # a job that waits for inputs fails where they will never come
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.FAILED, JobState.CANCELED}),
    JobState.RUNNING: frozenset({JobState.SUCCEEDED, JobState.QUEUED, JobState.FAILED, JobState.CANCELED}),
    JobState.SUCCEEDED: frozenset({JobState.EXPIRED}),
    JobState.FAILED: frozenset(),
    JobState.CANCELED: frozenset(),
    JobState.EXPIRED: frozenset(),
}


@dataclass(frozen=True)
class Event:
    """One entry of a job's timeline; `at` is in seconds since the epoch, by the database's clock."""

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
    source: dict[str, Any] = field(default_factory=dict)  # of the track: sample_rate, channels, frames, codec
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)  # name -> key, bytes, sha256, content_type, facts
    previews: dict[str, dict[str, Any]] = field(default_factory=dict)  # as outputs, but for players alone
    facts: dict[str, Any] = field(default_factory=dict)  # what the work found out
    warnings: tuple[JobWarning, ...] = ()
    owner: str = ""  # id of the key that sent it; empty where there are no keys
    next_pool: str | None = None  # the pool that gets the job when its inputs are fetched
    cache_key: str | None = None  # a hash of all that its result depends on; see `stemsvc.kinds.cache_key`
    cached: bool = False  # whether its files were taken from an earlier job
    manifest_key: str | None = None
    priority: int = int(Priority.NORMAL)
    cost: float = 1.0  # predicted device time in seconds; its owner's share is charged with it
    turn: float = 0.0  # its place among its pool's jobs of its priority; see `jobstore.fair_queue`
    trace: str | None = None  # W3C traceparent of the request that made it
    expected_at: float | None = None  # when its segments will be done, at their pace so far; None before the first
    retry_of: str | None = None  # id of the job that this one tries again
    stored_bytes: int = field(default=0, compare=False)  # of its inputs and outputs; the store counts them
    workflow_id: str | None = None  # the workflow that it is a step of
    step: str | None = None  # which one

    @property
    def kind(self) -> str:
        """The kind of work, such as `separate`."""
        return self.spec.kind

    @property
    def params(self) -> dict[str, Any]:
        """Its kind's own params, as they are stored."""
        return self.spec.params

    @property
    def envelope(self) -> Envelope:
        """What its client asked for beyond the kind's own params."""
        return self.spec.envelope

    @property
    def encoding(self) -> Encoding:
        """How its files are written."""
        return self.spec.encoding

    @property
    def name(self) -> str:
        """The name that its params give it, where its kind has such; else that of its first input, else its kind."""
        named = self.params.get("name")
        return named if isinstance(named, str) and named else self.inputs[0].name if self.inputs else self.kind

    @property
    def kept_inputs(self) -> tuple[Input, ...]:
        """Inputs that stay stored for a while after a job failed or was canceled, so that it can be tried again.

        These came with the job's own request: links are fetched again, and uploads have a file of their own. None stays
        after a usage error, because another try would end with it, too.
        """
        retryable = self.state is JobState.CANCELED or (self.state is JobState.FAILED and not is_usage(self.error_code))
        kept = input_key(self.id)  # what a fetcher stored lies with its attempt, and another job's output with that job
        own = (each for each in self.inputs if each.key.startswith(kept) and not each.upload_id)
        return tuple(own) if retryable else ()

    @property
    def finished(self) -> bool:
        """Whether the job has ended: no worker will touch it again."""
        return self.state not in LIVE


@dataclass(frozen=True)
class JobView:
    """A job at one moment, with its timeline. `queue_position` is the number of its pool's jobs that wait before it.

    The position is None for a job that is not queued. `replayed` says that an earlier request, with the same
    idempotency key, made the job.
    """

    job: Job
    timeline: list[Event]
    queue_position: int | None
    replayed: bool = False


@dataclass(frozen=True)
class Lease:
    """The right of one attempt to write to its job. `attempt` is the fencing token: it only ever grows."""

    job_id: str
    attempt: int
    owner: str

    @property
    def prefix(self) -> str:
        """The prefix of the keys of this attempt's objects. No other attempt writes there."""
        return f"jobs/{self.job_id}/attempt-{self.attempt}"


def new_job_id() -> str:
    """A random id, which reveals nothing about other jobs: 32 hex digits."""
    return uuid.uuid4().hex


def input_key(job_id: str, number: int = 0) -> str:
    """The storage key of a job's input; `number` counts the inputs from 0."""
    return f"jobs/{job_id}/input" + (f"-{number}" if number else "")
