"""What the service answers about workflows, recipes, plans and workers, as types; see `results`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from stemsvc_client.results import Event, File, Job, Part, Problem

WORKFLOW_ENDS = ("succeeded", "failed", "canceled")
# One word for the jobs of a step: what is furthest of those that go on, what is worst of those that ended.
_ORDER = ("running", "queued", "failed", "canceled", "expired", "succeeded")


@dataclass(frozen=True)
class Share(Part):
    """How far a workflow has come: `fraction` is 0 to 1, and each job weighs what it is predicted to cost.

    `eta_seconds` is the time until its end; None while nobody knows, and after it.
    """

    fraction: float = 0.0
    jobs: int = 0
    ended: int = 0
    eta_seconds: float | None = None


@dataclass(frozen=True)
class StepProblem(Problem):
    """Why a workflow failed: the step that failed first."""

    step: str = ""


@dataclass(frozen=True)
class WorkflowStep(Part):
    """A step and its jobs: one, or one for each source."""

    id: str = ""
    do: str = ""
    state: str = ""
    jobs: tuple[Job, ...] = ()


@dataclass(frozen=True)
class Decision(Part):
    """An entry of the decision log: where a job went and why, what came from the cache, what was tried again."""

    step: str = ""
    at: datetime | None = None
    to: str = ""
    why: str = ""
    worker: str | None = None


@dataclass(frozen=True)
class Workflow(Part):
    """Several jobs as one. In lists it has no steps, outputs and decisions."""

    id: str = ""
    name: str = ""
    recipe: str | None = None
    state: str = ""
    progress: Share = Share()
    created_at: datetime | None = None
    finished_at: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    retry_of: str | None = None
    steps: tuple[WorkflowStep, ...] = ()
    outputs: Mapping[str, File] = field(default_factory=dict)  # by `step.output`
    decisions: tuple[Decision, ...] = ()
    error: StepProblem | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in WORKFLOW_ENDS

    def moved(self, event: Event) -> Workflow:
        """The workflow after an event of its stream."""
        if event.event == "workflow":
            names = ("state", "progress", "error", "finished_at")
            return Workflow.of({**self.raw, **{name: event.data[name] for name in names if name in event.data}})
        if event.event == "state":
            return Workflow.of({**self.raw, "steps": [_moved(step, event) for step in self.raw.get("steps", ())]})
        return self


def _moved(step: Mapping[str, Any], event: Event) -> Mapping[str, Any]:
    job_id, state = event.data.get("job_id"), event.data.get("to")
    if job_id not in [job["id"] for job in step["jobs"]]:
        return step
    jobs = [{**job, "state": state} if job["id"] == job_id else job for job in step["jobs"]]
    return {**step, "jobs": jobs, "state": min((job["state"] for job in jobs), key=_rank)}


def _rank(state: str) -> int:
    return _ORDER.index(state) if state in _ORDER else len(_ORDER)


@dataclass(frozen=True)
class Param(Part):
    """A parameter of a recipe. `title` and `help` are for people."""

    type: str = ""
    title: str = ""
    help: str = ""
    default: Any = None
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class Recipe(Part):
    """A named workflow with parameters. `several`: it takes several songs."""

    name: str = ""
    title: str = ""
    summary: str = ""
    several: bool = False
    params: Mapping[str, Param] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedStep(Part):
    """What one job of a workflow would be. Times are in seconds from now; they are predictions."""

    step: str = ""
    kind: str = ""
    model: str = ""
    pool: str = ""
    why: str = ""
    alive: bool = False
    starts_seconds: float = 0.0
    ends_seconds: float = 0.0
    work_seconds: float = 0.0
    stored_bytes: int = 0


@dataclass(frozen=True)
class Plan(Part):
    """What a workflow would take. `total_seconds` is from now to its end, `waiting_seconds` until its first job begins.

    `cost` is in `currency`, for the seconds that devices work.
    """

    steps: tuple[PlannedStep, ...] = ()
    waiting_seconds: float = 0.0
    work_seconds: float = 0.0
    total_seconds: float = 0.0
    stored_bytes: int = 0
    cost: float = 0.0
    currency: str = ""


@dataclass(frozen=True)
class WorkerStep(Part):
    """What a worker does now; `workflow_id` and `step` only where it is a workflow's."""

    job_id: str = ""
    kind: str = ""
    stage: str = ""
    fraction: float = 0.0
    workflow_id: str | None = None
    step: str | None = None


@dataclass(frozen=True)
class Worker(Part):
    """A live process of a pool. `age_seconds` is how long ago it last reported; `load` is its machine's, by core."""

    id: str = ""
    machine: str = ""
    pools: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    device: str = ""
    device_name: str = ""
    memory_mb: int | None = None
    free_memory_mb: int | None = None
    models: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    lacking: Mapping[str, Any] = field(default_factory=dict)
    slots: int = 1
    busy: int = 0
    load: float | None = None
    age_seconds: float = 0.0
    steps: tuple[WorkerStep, ...] = ()


@dataclass(frozen=True)
class WorkflowUpdate:
    """How far a workflow has come in `run_recipe`: `stage` is `uploading`, its state, `downloading` or `done`.

    `fraction` is 0 to 1, of that stage. `workflow` is None until the service has accepted it.
    """

    stage: str
    fraction: float
    workflow: Workflow | None = None


@dataclass(frozen=True)
class MadeWorkflow:
    """A workflow that succeeded, and where its files are now, by `step.output`."""

    workflow: Workflow
    paths: Mapping[str, Path]
