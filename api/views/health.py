"""`/healthz`: for load balancers and probes."""

from __future__ import annotations

from typing import Any, cast

from flask import Flask, current_app
from flask_smorest import Blueprint

from api.schemas.answers import HealthSchema
from stemsvc.control.asking import Readiness
from stemsvc.control.services import Services

READY_SECONDS = 2.0  # for all parts to answer: a part that takes longer is of no use to a request either

blueprint = Blueprint("health", __name__, url_prefix="/healthz", description="Probes")


def install(app: Flask) -> None:
    """Make what `/healthz/ready` asks."""
    parts: Services = app.extensions["stemsvc"]
    app.extensions["readiness"] = Readiness(parts.store.ping, parts.storage.check, parts.publisher.ping)


@blueprint.route("/live")
@blueprint.response(200, HealthSchema)
def live() -> dict[str, Any]:
    """Whether this process answers

    It asks no other part of the service.
    """
    return {"status": "ok", "parts": {}}


@blueprint.route("/ready")
@blueprint.response(200, HealthSchema)
@blueprint.alt_response(
    503, schema=HealthSchema, description="the job store or the storage does not answer: no job can be accepted"
)
def ready() -> tuple[dict[str, Any], int]:
    """Whether jobs can be accepted

    The job store and the storage must answer, within 2 seconds. Without the broker, jobs are still accepted and start
    when it is back: the status is then `degraded`, with 200.
    """
    readiness = cast(Readiness, current_app.extensions["readiness"])
    parts = readiness.parts(READY_SECONDS)
    if parts["store"] != "ok" or parts["storage"] != "ok":
        return {"status": "unavailable", "parts": parts}, 503
    return {"status": "ok" if parts["broker"] == "ok" else "degraded", "parts": parts}, 200
