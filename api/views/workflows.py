"""`/v1/workflows`: graphs of jobs, in which one's outputs are another's inputs."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from api.edge.acting import acting
from api.edge.auth import Caller, caller
from api.edge.bodies import BodyBlueprint, check_parts
from api.schemas.answers import ProblemSchema
from api.schemas.read import asked_by, read_source
from api.schemas.specs import draft_step
from api.schemas.workflows import RecipesSchema, WorkflowForm, WorkflowPageSchema, WorkflowQuery, WorkflowSchema
from api.services import services
from api.views.creating import IDEMPOTENCY_KEY, links
from stemsvc.accounts.keys import Scope
from stemsvc.accounts.webhooks import WorkflowEventType
from stemsvc.control.present_workflow import workflow_body, workflow_summary
from stemsvc.control.sources import Source
from stemsvc.control.workflows import Order
from stemsvc.jobs.spec import JobSpec
from stemsvc.workflows.graph import read_steps
from stemsvc.workflows.plan import Draft
from stemsvc.workflows.record import Workflow

blueprint = BodyBlueprint("workflows", __name__, url_prefix="/v1", description="Several jobs as one")
ENVELOPE = ("device", "priority", "cache")  # of each of its jobs
MISSING = "no such workflow, or it is another key's"
Created = tuple[dict[str, Any], int, dict[str, str]]


@blueprint.route("/workflows", methods=["POST"])
@blueprint.arguments(WorkflowForm, location="workflow")
@blueprint.response(201, WorkflowSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description="no such upload or job to take a file of")
@blueprint.alt_response(409, schema=ProblemSchema, description="another request already used this `Idempotency-Key`")
@blueprint.doc(operationId="submitWorkflow", parameters=[IDEMPOTENCY_KEY])
def submit(form: dict[str, Any]) -> Created:
    """Run a graph of jobs

    All of it is checked before anything is made: `bad_workflow` says by its path what is wrong. After an answer of 201
    every job of it will reach an end state. A step whose inputs other steps make waits for them. A failed step fails
    those that need it, with `upstream_failed`, and no others. This path takes a multipart form, too: the song is its
    `file`, or a source `{"file": "x"}` is the file in the part `x`; objects and lists of objects are JSON texts.
    """
    who = caller(Scope.SUBMIT)
    order = order_of(form, read_sources(form, who))
    workflow = services().workflows.accept(order, lambda draft: spec_of(draft, form), asked_by(who))
    return _body(workflow), 201, {"Location": url_for("workflows.show", workflow_id=workflow.id)}


def order_of(form: dict[str, Any], sources: list[Source]) -> Order:
    """What the form asks for, of these sources. Raises `UsageError` for the recipe, its params and the graph."""
    recipe = services().recipes.get(form["recipe"]) if form["recipe"] else None
    given = recipe.filled(form["params"], len(sources)) if recipe else form["steps"]
    outputs = form["outputs"] or (recipe.outputs if recipe else [])
    return Order(read_steps(given), given, sources, form["name"], form["recipe"] or None, outputs, _options(form))


def read_sources(form: dict[str, Any], who: Caller) -> list[Source]:
    """The sources that the form names; without any, the request's part `file`."""
    given = form["sources"] or ([form["source"]] if form["source"] else [])
    if not given and "file" in request.files:
        given = [None]
    found = [each for source in given for each in read_source(source, who)]
    check_parts({"file" if source is None else source.get("file", "") for source in given})
    return found


def spec_of(draft: Draft, form: dict[str, Any]) -> JobSpec:
    """The spec of a step's job: its params are read as those of a job of its kind are."""
    return draft_step(draft, {name: form[name] for name in ENVELOPE if form[name] != ""})


def _options(form: dict[str, Any]) -> dict[str, Any]:
    events = form["webhook_events"] or [str(each) for each in WorkflowEventType]
    own = {name: form[name] for name in ("metadata", "webhook_url", "priority")}
    return {**own, "webhook_events": events if form["webhook_url"] else []}


@blueprint.route("/recipes")
@blueprint.response(200, RecipesSchema)
@blueprint.doc(operationId="listRecipes")
def recipes() -> dict[str, Any]:
    """List the recipes

    Each is a workflow with parameters. `POST /v1/workflows` runs one by its name.
    """
    caller(Scope.READ)
    return {"recipes": [each.model_dump() for each in services().recipes.all]}


@blueprint.route("/workflows", methods=["GET"])
@blueprint.arguments(WorkflowQuery, location="query")
@blueprint.response(200, WorkflowPageSchema)
def index(query: dict[str, Any]) -> dict[str, Any]:
    """List workflows

    The newest comes first. `next_cursor` leads to the next page.
    """
    store, sees = services().store, caller(Scope.READ).sees
    page = store.workflows.page(sees, tuple(query["states"]), query["limit"], query["cursor"])
    standings = {each.workflow.id: each for each in store.workflows.standings([each.id for each in page.workflows])}
    found = [workflow_summary(standings[each.id]) for each in page.workflows if each.id in standings]
    return {"workflows": found, "next_cursor": page.cursor}


@blueprint.route("/workflows/<string:workflow_id>")
@blueprint.response(200, WorkflowSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description=MISSING)
def show(workflow_id: str) -> dict[str, Any]:
    """Follow a workflow

    Each answer has freshly signed URLs, and the log of what was decided and why.
    """
    return _body(services().workflows.view(workflow_id, caller(Scope.READ).sees))


@blueprint.route("/workflows/<string:workflow_id>/cancel", methods=["POST"])
@blueprint.response(200, WorkflowSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description=MISSING)
def cancel(workflow_id: str) -> dict[str, Any]:
    """Stop a workflow

    Its jobs that have not ended are canceled. What has ended stays. Canceling twice is no error.
    """
    return _body(services().workflows.cancel(workflow_id, caller(Scope.SUBMIT).sees))


@blueprint.route("/workflows/<string:workflow_id>/retry", methods=["POST"])
@blueprint.response(201, WorkflowSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description=MISSING)
@blueprint.alt_response(409, schema=ProblemSchema, description="it goes on, or has succeeded")
@blueprint.alt_response(410, schema=ProblemSchema, description="a track or an output that it needs is gone")
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def retry(workflow_id: str) -> Created:
    """Try a workflow again

    A new workflow has the steps that did not succeed. They take what the others made. Its `retry_of` names the old one.
    """
    who = caller(Scope.SUBMIT)
    workflow = services().workflows.retry(workflow_id, who.sees, asked_by(who))
    return _body(workflow), 201, {"Location": url_for("workflows.show", workflow_id=workflow.id)}


@blueprint.route("/workflows/<string:workflow_id>", methods=["DELETE"])
@blueprint.response(204)
@blueprint.alt_response(404, schema=ProblemSchema, description=MISSING)
def delete(workflow_id: str) -> None:
    """Erase a workflow

    Its jobs are stopped and erased with all of their files.
    """
    who = caller(Scope.SUBMIT)
    services().workflows.erase(workflow_id, who.sees, acting(who))


def _body(workflow: Workflow) -> dict[str, Any]:
    store = services().store.workflows
    jobs, log, eta = store.jobs(workflow.id), store.timeline(workflow.id), store.etas([workflow.id]).get(workflow.id)
    return workflow_body(links(), workflow, jobs, log, eta)
