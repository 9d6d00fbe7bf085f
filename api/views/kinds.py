"""`/v1/separations` and the like: each installed kind has its own path and its own form."""

from __future__ import annotations

import functools
from typing import Any

from api.edge.bodies import BodyBlueprint
from api.schemas.forms import KindForm
from api.schemas.kinds.registry import forms
from api.views.creating import Created, accepted, creates
from stemsvc.kinds import registry


@functools.cache
def blueprints() -> tuple[BodyBlueprint, ...]:
    """One blueprint for each kind, made once. No list of kinds is kept anywhere: what is installed is served."""
    return tuple(_blueprint(kind, form) for kind, form in forms().items())


def _blueprint(kind: str, form: type[KindForm]) -> BodyBlueprint:
    words = " ".join((form.__doc__ or kind).split())
    sending = "Send a multipart form with the `file`."
    if form.several:
        sending = 'Send a multipart form. In it, a source `{"file": "x"}` is the file in the part `x`.'
    blueprint = BodyBlueprint(kind, __name__, url_prefix="/v1", description=words)
    if registry.get(kind).sourceless:
        return _without_source(blueprint, kind, form, words)

    def submit(fields: dict[str, Any]) -> Created:
        return accepted(kind, fields)

    submit.__doc__ = f"""Make a job of the kind `{kind}`

    {words} {sending} This path takes JSON with a `source`, too: what
    `POST /v1/{form.path}:from-source` takes.
    """
    blueprint.route(f"/{form.path}", methods=["POST"])(creates(blueprint, form, form.operation)(submit))

    def submit_from_source(fields: dict[str, Any]) -> Created:
        return accepted(kind, fields)

    submit_from_source.__doc__ = f"""Make a job of the kind `{kind}` of a source

    Send JSON. A source is a link, an upload that was sent before, or a file that another job made. All else is as in
    `POST /v1/{form.path}`.
    """
    by_source = creates(blueprint, form, f"{form.operation}FromSource", "source")
    blueprint.route(f"/{form.path}:from-source", methods=["POST"])(by_source(submit_from_source))
    return blueprint


def _without_source(blueprint: BodyBlueprint, kind: str, form: type[KindForm], words: str) -> BodyBlueprint:
    """One call alone, which takes JSON: there is no file to send."""

    def submit(fields: dict[str, Any]) -> Created:
        return accepted(kind, fields)

    submit.__doc__ = f"""Make a job of the kind `{kind}`

    {words}
    """
    blueprint.route(f"/{form.path}", methods=["POST"])(creates(blueprint, form, form.operation, "source")(submit))
    return blueprint
