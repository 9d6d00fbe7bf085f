"""`/v1/jobs:batch`: several jobs in one request."""

from __future__ import annotations

from typing import Any

from flask import json
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException, UnprocessableEntity

from api.edge.auth import Caller, caller
from api.edge.bodies import BodyBlueprint
from api.edge.problems import problem_of
from api.schemas.answers import BatchSchema
from api.schemas.forms import BatchForm
from api.schemas.kinds.separate import JobForm
from api.schemas.read import asked_by, read_source, read_spec
from api.services import services
from api.views.creating import shown
from stemsvc.accounts.keys import Scope
from stemsvc.errors import MissingFile, StemsvcError

JSON_EXAMPLE = {"source": {"url": "https://example.org/song.mp3"}, "model": "htdemucs", "stems": ["vocals"]}

blueprint = BodyBlueprint("batch", __name__, description="Several tracks at once")


@blueprint.route("/v1/jobs:batch", methods=["POST"])
@blueprint.arguments(BatchForm, example={"jobs": [JSON_EXAMPLE]})
@blueprint.response(200, BatchSchema)
def submit(form: dict[str, Any]) -> dict[str, Any]:
    """Send several tracks

    Each track is a link or an upload. `results` has one entry for each job, in order: the job, or the error that
    refused it. An error in one job does not refuse the others.
    """
    who = caller(Scope.SUBMIT)
    return {"results": [_submit(each, who) for each in form["jobs"]]}


def _submit(body: dict[str, Any], who: Caller) -> dict[str, Any]:
    try:
        if not body.get("source") or "file" in body:
            raise MissingFile("a job of a batch needs a `source`: a url or an upload_id")
        try:
            fields = JobForm().load(body)
        except ValidationError as error:
            refused = UnprocessableEntity()
            refused.data = {"messages": {"json": error.messages}}  # type: ignore[attr-defined]
            raise refused from error
        source, spec = read_source(fields, who), read_spec("separate", fields)
        return {"status": 201, "job": shown(services().acceptance.accept([source], spec, asked_by(who, key=False)))}
    except (StemsvcError, HTTPException) as error:
        answer = problem_of(error)
        return {"status": answer.status_code, "error": json.loads(answer.get_data())}
