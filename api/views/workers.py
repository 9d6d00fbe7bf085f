"""`/v1/workers`: what each live worker can do, how busy it is, what it does."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from api.edge.auth import caller
from api.schemas.answers import ProblemSchema
from api.schemas.workers import WorkersSchema
from api.services import services
from stemsvc.accounts.keys import Scope
from stemsvc.control.present_workers import worker_bodies

blueprint = Blueprint("workers", __name__, url_prefix="/v1/workers", description="The processes that do the work")


@blueprint.route("")
@blueprint.response(200, WorkersSchema)
@blueprint.alt_response(403, schema=ProblemSchema, description="the key lacks the scope `admin`")
@blueprint.doc(operationId="listWorkers")
def index() -> dict[str, Any]:
    """List the live workers

    Each reports what it can do and what it does, every few seconds. The router gives a job only to pools that can do
    it. A key needs the scope `admin`.
    """
    caller(Scope.ADMIN)
    return {"workers": worker_bodies(services().store, services().pools)}
