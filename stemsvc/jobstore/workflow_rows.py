"""A workflow's row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from stemsvc.workflows.record import Workflow, WorkflowState

_NAMES = tuple(each.name for each in fields(Workflow))


def to_row(workflow: Workflow, jobs: int, now: float) -> dict[str, Any]:
    """The row of a new workflow of so many jobs."""
    row = {name: getattr(workflow, name) for name in _NAMES}
    return {**row, "state": str(workflow.state), "jobs": jobs, "live": jobs, "created_at": now}


def to_workflow(row: Mapping[Any, Any]) -> Workflow:
    """The workflow of a row."""
    return Workflow(**{**{name: row[name] for name in _NAMES}, "state": WorkflowState(row["state"])})
