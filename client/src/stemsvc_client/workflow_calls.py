"""The service's calls about workflows, recipes, plans and workers, each as a flow of one request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from stemsvc_client.calls import erased, found_object, once
from stemsvc_client.messages import Answer, Request
from stemsvc_client.retries import Retry, sent
from stemsvc_client.steps import Emit, Flow
from stemsvc_client.workflow_results import Plan, Recipe, Worker, Workflow

WORKFLOWS = "/v1/workflows"


def submitted(body: Mapping[str, Any], key: str | None, retry: Retry) -> Flow[Workflow]:
    """Send a workflow's body; returns the workflow. Sent again after a lost answer, it makes no second one."""
    return _workflow((yield from sent(Request("POST", WORKFLOWS, headers=once(key), json=body), retry)))


def planned(body: Mapping[str, Any], retry: Retry) -> Flow[Plan]:
    """What a workflow of that body would take. Nothing is made."""
    return Plan.of(found_object((yield from sent(Request("POST", f"{WORKFLOWS}:plan", json=body), retry))))


def workflow(workflow_id: str, retry: Retry) -> Flow[Workflow]:
    """The workflow as it is now."""
    return _workflow((yield from sent(Request("GET", path(workflow_id)), retry)))


def workflows(query: Mapping[str, Any], retry: Retry) -> Flow[None]:
    """Emit every workflow that matches the query, newest first."""
    cursor: str | None = ""
    while cursor is not None:
        params = {**query, **({"cursor": cursor} if cursor else {})}
        page = found_object((yield from sent(Request("GET", WORKFLOWS, params=params), retry)))
        for each in page["workflows"]:
            yield Emit(Workflow.of(each))
        cursor = page["next_cursor"]


def canceled(workflow_id: str, retry: Retry) -> Flow[Workflow]:
    """Cancel all of its jobs; returns it."""
    return _workflow((yield from sent(Request("POST", f"{path(workflow_id)}/cancel"), retry)))


def retried(workflow_id: str, key: str | None, retry: Retry) -> Flow[Workflow]:
    """Make a new workflow of what did not succeed; returns that one."""
    return _workflow((yield from sent(Request("POST", f"{path(workflow_id)}/retry", headers=once(key)), retry)))


def deleted(workflow_id: str, retry: Retry) -> Flow[None]:
    """Stop it, and erase its jobs with all of their files."""
    yield from erased(path(workflow_id), "workflow_not_found", retry)


def recipes(retry: Retry) -> Flow[list[Recipe]]:
    """The recipes of the service."""
    answer: Answer = yield from sent(Request("GET", "/v1/recipes"), retry)
    return [Recipe.of(each) for each in found_object(answer)["recipes"]]


def workers(retry: Retry) -> Flow[list[Worker]]:
    """The live workers."""
    answer: Answer = yield from sent(Request("GET", "/v1/workers"), retry)
    return [Worker.of(each) for each in found_object(answer)["workers"]]


def path(workflow_id: str) -> str:
    """Where the workflow is."""
    return f"{WORKFLOWS}/{quote(workflow_id, safe='')}"


def _workflow(answer: Answer) -> Workflow:
    return Workflow.of(found_object(answer))
