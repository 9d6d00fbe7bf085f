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
    blueprint = BodyBlueprint(kind, __name__, url_prefix=f"/v1/{form.path}", description=words)

    def submit(fields: dict[str, Any]) -> Created:
        return accepted(kind, fields)

    submit.__doc__ = f"""Make a job of the kind `{kind}`

    {words} Like `POST /v1/jobs`, it takes a multipart form with the `file`, or JSON with a `source`.
    """
    blueprint.route("", methods=["POST"])(creates(blueprint, form, form.operation)(submit))
    return blueprint
