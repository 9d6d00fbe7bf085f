"""A workflow as the store holds it: what was asked for, and how its jobs stand together."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any


class WorkflowState(enum.StrEnum):
    """The states of a workflow. The end of its last job ends it."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"  # every step that counts has succeeded
    FAILED = "failed"  # a step that counts has failed
    CANCELED = "canceled"  # none failed, and at least one was canceled


@dataclass(frozen=True)
class Workflow:
    """A graph of jobs. Times are seconds since the epoch by the database's clock.

    `spec` has the steps as the client sent them, `needs` (by step, those that must end before it), `outputs` (which
    outputs of steps it wants) and `tolerated` (steps whose failure does not count). `live`, `failed` and `canceled`
    count its jobs.
    """

    id: str
    owner: str
    name: str
    spec: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)  # metadata, webhook_url, webhook_events, priority
    recipe: str | None = None
    state: WorkflowState = WorkflowState.RUNNING
    jobs: int = 0
    live: int = 0
    failed: int = 0
    canceled: int = 0
    created_at: float = 0.0
    ended_at: float | None = None
    request_id: str | None = None
    retry_of: str | None = None
