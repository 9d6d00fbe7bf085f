"""What a client can do with workflows and recipes; `Flows` has these methods too."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stemsvc_client import workflow_calls as calls
from stemsvc_client.following import followed
from stemsvc_client.results import Event
from stemsvc_client.retries import Retry
from stemsvc_client.steps import Emit, Emitting, Flow
from stemsvc_client.workflow_results import MadeWorkflow, Plan, Recipe, Worker, Workflow, WorkflowUpdate
from stemsvc_client.workflow_running import Songs, accepted, check, ran, saved, waited

PathLike = str | os.PathLike[str]
Steps = Sequence[Mapping[str, Any]]


class WorkflowFlows:
    """The calls about workflows. A song is a file's path, a link, a job, or what the service takes as a source.

    `fields` are those of the form of `POST /v1/workflows`, such as `name`, `priority` or `metadata`.
    """

    _retry: Retry

    # --- the whole way

    def run_recipe(
        self,
        recipe: str,
        songs: Songs,
        /,
        *,
        output_dir: PathLike = ".",
        fields: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        on_progress: Callable[[WorkflowUpdate], Any] | None = None,
        cancel: bool = True,
        **params: Any,
    ) -> Flow[MadeWorkflow]:
        """Send songs through a recipe with these params, wait, and save what comes of them in `output_dir`.

        A call that is broken off cancels the workflow, unless `cancel` is false. `timeout` is for the workflow, in
        seconds. Raises the error of the step that failed, by its code. A param that has the name of one of these
        arguments goes into `fields`, as `{"params": {...}}`.
        """
        asked = _asked(recipe, fields, params)
        return ran(
            songs,
            asked,
            Path(output_dir),
            self._retry,
            key=idempotency_key,
            timeout=timeout,
            listener=on_progress,
            cancel=cancel,
        )

    def run_workflow(
        self,
        steps: Steps,
        songs: Songs,
        /,
        *,
        output_dir: PathLike = ".",
        idempotency_key: str | None = None,
        timeout: float | None = None,
        on_progress: Callable[[WorkflowUpdate], Any] | None = None,
        cancel: bool = True,
        **fields: Any,
    ) -> Flow[MadeWorkflow]:
        """Send songs through a graph of steps; see `run_recipe`. `outputs` names the files that are saved."""
        asked = {**fields, "steps": [dict(step) for step in steps]}
        return ran(
            songs,
            asked,
            Path(output_dir),
            self._retry,
            key=idempotency_key,
            timeout=timeout,
            listener=on_progress,
            cancel=cancel,
        )

    def start_recipe(
        self,
        recipe: str,
        songs: Songs,
        /,
        *,
        fields: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        **params: Any,
    ) -> Flow[Workflow]:
        """Send songs to a recipe with these params; returns its workflow at once."""
        return accepted(songs, _asked(recipe, fields, params), idempotency_key, self._retry)

    def start_workflow(
        self, steps: Steps, songs: Songs, /, *, idempotency_key: str | None = None, **fields: Any
    ) -> Flow[Workflow]:
        """Send songs to a graph of steps; returns its workflow at once."""
        return accepted(songs, {**fields, "steps": [dict(step) for step in steps]}, idempotency_key, self._retry)

    # --- single calls

    def workflow(self, workflow_id: str) -> Flow[Workflow]:
        """The workflow as it is now."""
        return calls.workflow(workflow_id, self._retry)

    def workflows(self, /, **query: Any) -> Emitting[Workflow]:
        """Every workflow that matches the query (`state`), newest first."""
        return Emitting(calls.workflows(query, self._retry))

    def cancel_workflow(self, workflow_id: str) -> Flow[Workflow]:
        """Cancel all of its jobs that have not ended; returns it."""
        return calls.canceled(workflow_id, self._retry)

    def retry_workflow(self, workflow_id: str, idempotency_key: str | None = None) -> Flow[Workflow]:
        """Make a new workflow of the steps that did not succeed; returns that one."""
        return calls.retried(workflow_id, idempotency_key, self._retry)

    def delete_workflow(self, workflow_id: str) -> Flow[None]:
        """Stop it, and erase its jobs with all of their files."""
        return calls.deleted(workflow_id, self._retry)

    def follow_workflow(self, workflow_id: str) -> Emitting[Event]:
        """The workflow's events as they happen, until it ends. A stream that breaks is opened again."""
        path = f"{calls.path(workflow_id)}/events"
        return Emitting(followed(path, f"workflow {workflow_id}", _emitted, self._retry))

    def wait_workflow(
        self, workflow_id: str, timeout: float | None = None, on_change: Callable[[Workflow], Any] | None = None
    ) -> Flow[Workflow]:
        """The workflow at its end. `on_change` gets it whenever it changes. Raises `Timeout` after so many seconds."""
        return waited(workflow_id, timeout, on_change, self._retry)

    def finished_workflow(
        self, workflow_id: str, timeout: float | None = None, on_change: Callable[[Workflow], Any] | None = None
    ) -> Flow[Workflow]:
        """As `wait_workflow`, and raises the error of a workflow that has not succeeded, by its code."""
        workflow = yield from waited(workflow_id, timeout, on_change, self._retry)
        check(workflow)
        return workflow

    def save_workflow(self, workflow: Workflow, output_dir: PathLike = ".") -> Flow[dict[str, Path]]:
        """Save the outputs of a workflow in a folder; returns where each is, by `step.output`."""
        return saved(workflow, Path(output_dir), self._retry)

    def plan_workflow(self, /, **fields: Any) -> Flow[Plan]:
        """What a workflow would take; nothing is made. `fields` are those of its form, and `seconds`: the lengths of
        songs that are not sent yet."""
        return calls.planned(fields, self._retry)

    def recipes(self) -> Flow[list[Recipe]]:
        """The recipes that the service has."""
        return calls.recipes(self._retry)

    def workers(self) -> Flow[list[Worker]]:
        """The live workers, what each can do and what it does. Only a key with the scope `admin` may ask."""
        return calls.workers(self._retry)


def _asked(recipe: str, fields: Mapping[str, Any] | None, params: Mapping[str, Any]) -> dict[str, Any]:
    more = dict(fields or {})
    return {**more, "recipe": recipe, "params": {**more.get("params", {}), **params}}


def _emitted(event: Event) -> Flow[None]:
    yield Emit(event)
