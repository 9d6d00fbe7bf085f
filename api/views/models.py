"""`/v1/models`: the models that a job can name."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from api.schemas.answers import ModelsSchema
from api.services import services

SHOWN = {
    "name",
    "summary",
    "stems",
    "sample_rate",
    "segment_seconds",
    "licence",
    "licence_doubt",
    "deprecated",
    "fallback",
}
blueprint = Blueprint("models", __name__, url_prefix="/v1/models", description="The model catalog")


@blueprint.route("")
@blueprint.response(200, ModelsSchema)
def catalog() -> dict[str, Any]:
    """List the models

    A job names one of them as its `model`.
    """
    models = []
    for entry in services().catalog.entries:
        fields = entry.model_dump(include=SHOWN)
        devices = sorted({pool.kind for pool in services().pools if entry.name in pool.models})
        models.append({**fields, "default": entry.name == services().catalog.default, "devices": devices})
    return {"models": models}
