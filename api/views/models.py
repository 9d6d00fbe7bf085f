"""`/v1/models`: the models that a job can name."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from api.schemas.answers import ModelsSchema
from api.services import services
from stemsvc.kinds.separate.choose import presets_now

SHOWN = {
    "name",
    "summary",
    "family",
    "stems",
    "sample_rate",
    "segment_seconds",
    "licence",
    "licence_doubt",
    "deprecated",
    "fallback",
    "sdr",
}
blueprint = Blueprint("models", __name__, url_prefix="/v1/models", description="The model catalog")


@blueprint.route("")
@blueprint.response(200, ModelsSchema)
def catalog() -> dict[str, Any]:
    """List the models and presets

    A job names one of the models as its `model`, or one of the presets as its `quality`.
    """
    known, pools = services().catalog, services().pools
    lacking = known.unserved()
    models = []
    for entry in known.entries:
        fields = entry.model_dump(include=SHOWN)
        devices = sorted({pool.kind for pool in pools if entry.name in pool.models})
        more = {"default": entry.name == known.default, "devices": devices, "lacking": lacking.get(entry.name)}
        models.append({**fields, **more})
    return {"models": models, "presets": presets_now(known.aware_of(lambda device: lacking))}
