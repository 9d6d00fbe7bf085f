"""`/healthz`: for load balancers and probes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask_smorest import Blueprint

from api.schemas.answers import HealthSchema
from api.services import services
from stemsvc.errors import StemsvcError

blueprint = Blueprint("health", __name__, url_prefix="/healthz", description="Probes")


@blueprint.route("/live")
@blueprint.response(200, HealthSchema)
def live() -> dict[str, Any]:
    """Whether this process answers"""
    return {"status": "ok", "parts": {}}


@blueprint.route("/ready")
@blueprint.response(200, HealthSchema)
@blueprint.alt_response(
    503, schema=HealthSchema, description="the job store or the storage does not answer: no job can be accepted"
)
def ready() -> tuple[dict[str, Any], int]:
    """Whether jobs can be accepted

    The job store and the storage must answer. Without the broker, jobs are still accepted and start when it is back:
    the status is then `degraded`, with 200.
    """
    parts = {
        "store": _probe(services().store.ping),
        "storage": _probe(services().storage.check),
        "broker": _probe(services().publisher.ping),
    }
    if parts["store"] != "ok" or parts["storage"] != "ok":
        return {"status": "unavailable", "parts": parts}, 503
    return {"status": "ok" if parts["broker"] == "ok" else "degraded", "parts": parts}, 200


def _probe(check: Callable[[], None]) -> str:
    try:
        check()
    except StemsvcError as error:
        return error.code
    return "ok"
