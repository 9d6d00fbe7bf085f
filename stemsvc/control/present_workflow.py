"""A workflow as clients see it, in answers and in webhooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stemsvc.control.present import Links, job_files, moment, summary, timeline_entry
from stemsvc.jobs.record import Event, Job, JobState
from stemsvc.jobstore.workflows import Standing
from stemsvc.workflows.outputs import step_of, wanted_of
from stemsvc.workflows.record import Workflow

Logged = Sequence[tuple[str, Event]]  # entries of jobs' timelines, each with its job's id


def workflow_body(
    links: Links, workflow: Workflow, jobs: Sequence[Job], log: Logged, eta_seconds: float | None = None
) -> dict[str, Any]:
    """Everything of a workflow that its client may see; moments are datetimes."""
    names = {job.id: job.step or "" for job in jobs}
    return {
        **workflow_summary(Standing.of(workflow, jobs, eta_seconds)),
        "metadata": workflow.options.get("metadata", {}),
        "webhook_url": workflow.options.get("webhook_url") or None,
        "webhook_events": list(workflow.options.get("webhook_events", ())),
        "retry_of": workflow.retry_of,
        "steps": [
            _step(workflow, step, [j for j in jobs if step_of(j) == step["id"]]) for step in workflow.spec["steps"]
        ],
        "outputs": _outputs(links, workflow, jobs),
        "decisions": [{"step": names[job_id], **timeline_entry(event)} for job_id, event in log],
        "urls": _urls(links, workflow),
    }


def workflow_summary(standing: Standing) -> dict[str, Any]:
    """The fields of `WorkflowSummarySchema`."""
    workflow, failure = standing.workflow, standing.failure
    return {
        "id": workflow.id,
        "name": workflow.name,
        "recipe": workflow.recipe,
        "state": str(workflow.state),
        "progress": _progress(standing),
        "created_at": moment(workflow.created_at),
        "finished_at": moment(workflow.ended_at),
        "error": _error(failure) if failure else None,
    }


def workflow_event(standing: Standing) -> dict[str, Any]:
    """What a `workflow` event says, as JSON."""
    told = workflow_summary(standing)
    ended_at = told["finished_at"]
    return {
        "workflow_id": told["id"],
        "name": told["name"],
        "recipe": told["recipe"],
        "state": told["state"],
        "progress": told["progress"],
        "finished_at": ended_at.isoformat() if ended_at else None,
        "error": told["error"],
    }


def is_news(told: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether an event says more than the one before: the time that is left changes all the time."""
    return not before or _lasting(told) != _lasting(before)


def _lasting(told: Mapping[str, Any]) -> dict[str, Any]:
    return {**told, "progress": {**told["progress"], "eta_seconds": None}}


def _progress(standing: Standing) -> dict[str, Any]:
    left = standing.eta_seconds if standing.workflow.live else None
    return {
        "fraction": round(standing.fraction, 4),
        "jobs": standing.workflow.jobs,
        "ended": standing.ended,
        "eta_seconds": None if left is None else round(left, 1),
    }


def _step(workflow: Workflow, given: Mapping[str, Any], jobs: Sequence[Job]) -> dict[str, Any]:
    states = {job.state for job in jobs}
    return {
        "id": given["id"],
        "do": given["do"],
        "inputs": given.get("inputs", {}),
        "needs": workflow.spec.get("needs", {}).get(given["id"], []),
        "state": _state(states, any(job.stage == "waiting_for_inputs" for job in jobs)),
        "jobs": [{**summary(job), "step": job.step, "facts": job.facts or None} for job in jobs],
    }


def _state(states: Iterable[JobState], waits: bool) -> str:
    """One word for the jobs of a step: what is worst of those that ended, what is furthest of those that have not."""
    found = set(states)
    if not found:
        return "left_out"
    for state in (JobState.RUNNING, JobState.QUEUED):
        if state in found:
            return "waiting_for_inputs" if state is JobState.QUEUED and waits else str(state)
    return str(
        next(
            state
            for state in (JobState.FAILED, JobState.CANCELED, JobState.EXPIRED, JobState.SUCCEEDED)
            if state in found
        )
    )


def _outputs(links: Links, workflow: Workflow, jobs: Sequence[Job]) -> dict[str, Any]:
    """The files that the client wants, by `step.output`; all files of the last steps where it named none."""
    files = {job.id: job_files(links, job) for job in jobs}
    return {
        f"{job.step}.{name}": {**files[job.id][name], "job_id": job.id}
        for job, name in wanted_of(jobs, workflow.spec.get("outputs") or [])
        if name in files[job.id]
    }


def _error(failure: Job) -> dict[str, Any]:
    return {"step": failure.step, "code": failure.error_code, "detail": failure.error_detail}


def _urls(links: Links, workflow: Workflow) -> dict[str, str]:
    own = f"/v1/workflows/{workflow.id}"
    return {"self": links.call(own), "cancel": links.call(f"{own}/cancel"), "retry": links.call(f"{own}/retry")}
