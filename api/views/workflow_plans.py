"""`/v1/workflows:plan`: what a workflow would take."""

from __future__ import annotations

from typing import Any

from api.edge.auth import caller
from api.edge.bodies import BodyBlueprint
from api.schemas.answers import ProblemSchema
from api.schemas.plans import PlanForm, PlanSchema
from api.schemas.read import asked_by
from api.services import services
from api.views.workflows import order_of, read_sources, spec_of
from stemsvc.accounts.keys import Scope
from stemsvc.control.plan import Unsent
from stemsvc.control.sources import Source

blueprint = BodyBlueprint("workflow_plans", __name__, url_prefix="/v1", description="Several jobs as one")


@blueprint.route("/workflows:plan", methods=["POST"])
@blueprint.arguments(PlanForm)
@blueprint.response(200, PlanSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description="no such upload or job to take a file of")
@blueprint.doc(operationId="planWorkflow", tags=["workflows"])
def plan(form: dict[str, Any]) -> dict[str, Any]:
    """Plan a workflow

    The body is that of `POST /v1/workflows`, or has `seconds` in place of its sources. The answer says where each step
    would go, how long it would wait and work, and what it would store and cost. It is made of the kinds' own
    predictions, of how fast the pools have been, and of the queues as they are now. Nothing is made.
    """
    who = caller(Scope.SUBMIT)
    unsent: list[Source] = [Unsent(seconds) for seconds in form["seconds"] or ()]
    order = order_of(form, unsent or read_sources(form, who))
    found = services().planner.plan(order, lambda step: spec_of(step, form), asked_by(who))
    return {**found, "currency": services().settings.currency}
