"""`/v1/separations` and the like: each installed kind has its own path and its own form."""

from __future__ import annotations

from typing import Any

from api.edge.bodies import BodyBlueprint
from api.schemas.forms import KindForm
from api.schemas.kinds.registry import forms
from api.views.creating import Created, accepted, creates


def blueprints() -> list[BodyBlueprint]:
    """One blueprint for each kind. No list of kinds is kept anywhere: what is installed is served."""
    return [_blueprint(kind, form) for kind, form in forms().items()]


def _blueprint(kind: str, form: type[KindForm]) -> BodyBlueprint:
    words = " ".join((form.__doc__ or kind).split())
    blueprint = BodyBlueprint(kind, __name__, url_prefix="/v1", description=words)

    def submit(fields: dict[str, Any]) -> Created:
        return accepted(kind, fields)

    submit.__doc__ = f"""Make a job of the kind `{kind}`

    {words} Send a multipart form with the `file`. This path takes JSON with a `source`, too: what
    `POST /v1/{form.path}:from-source` takes.
    """
    blueprint.route(f"/{form.path}", methods=["POST"])(creates(blueprint, form, form.operation)(submit))

    def submit_from_source(fields: dict[str, Any]) -> Created:
        return accepted(kind, fields)

    submit_from_source.__doc__ = f"""Make a job of the kind `{kind}` of a source

    Send JSON with a `source`: a link, or an upload that was sent before. All else is as in `POST /v1/{form.path}`.
    """
    by_source = creates(blueprint, form, f"{form.operation}FromSource", "source")
    blueprint.route(f"/{form.path}:from-source", methods=["POST"])(by_source(submit_from_source))
    return blueprint
