"""`/v1/models`: the models that a job can name."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from api.schemas.models import ModelsSchema
from api.services import services
from stemsvc.kinds.separate.choose import presets_now
from stemsvc.models.generators import GeneratorEntry

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
SHOWN_OF_GENERATORS = {
    "name",
    "summary",
    "family",
    "hub",
    "parameters",
    "channels",
    "window_seconds",
    "licence",
    "licence_doubt",
    "deprecated",
}
blueprint = Blueprint("models", __name__, url_prefix="/v1/models", description="The model catalog")


@blueprint.route("")
@blueprint.response(200, ModelsSchema)
def catalog() -> dict[str, Any]:
    """List the models, presets and generators

    A job names one of the models as its `model`, or one of the presets as its `quality`. A generation names one of the
    generators as its `model`.
    """
    known, pools = services().catalog, services().pools
    lacking = known.unserved()
    models = []
    for entry in known.entries:
        fields = entry.model_dump(include=SHOWN)
        devices = sorted({pool.kind for pool in pools if entry.name in pool.models})
        more = {"default": entry.name == known.default, "devices": devices, "lacking": lacking.get(entry.name)}
        models.append({**fields, **more})
    presets = presets_now(known.aware_of(lambda device: lacking))
    generators = [_generator(each, known.generators.accepts(each)) for each in known.generators.entries]
    return {"models": models, "presets": presets, "generators": generators}


def _generator(entry: GeneratorEntry, accepted: bool) -> dict[str, Any]:
    more = {
        "follows_melody": entry.follows_melody,
        "forbids_commerce": entry.forbids_commerce,
        "accepted": accepted,
        "pinned": bool(entry.files),
    }
    return {**entry.model_dump(include=SHOWN_OF_GENERATORS), **more}
