"""`/v1/jobs:batch`: several jobs in one request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from flask import json
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException, UnprocessableEntity

from api.edge.auth import Caller, caller
from api.edge.bodies import BodyBlueprint
from api.edge.problems import problem_of
from api.edge.request_id import checked_key, idempotency_key
from api.schemas.answers import ProblemSchema
from api.schemas.forms import BatchForm
from api.schemas.jobs import BatchSchema
from api.schemas.kinds.separate import JobForm
from api.schemas.read import asked_by, read_source, read_spec
from api.services import services
from api.views.creating import IDEMPOTENCY_KEY, REPLAYED, shown
from stemsvc.accounts.keys import Scope
from stemsvc.control.accept import Request
from stemsvc.control.sources import Source
from stemsvc.errors import MissingFile, StemsvcError
from stemsvc.jobs.spec import JobSpec

JSON_EXAMPLE = {"source": {"url": "https://example.org/song.mp3"}, "model": "htdemucs", "stems": ["vocals"]}
OWN_KEY = "idempotency_key"  # of one job
BATCH_KEY = {
    **IDEMPOTENCY_KEY,
    "description": "your own name for this batch, kept for a day: sent again with it, a batch gets the jobs it made "
    "and makes only those that it did not make",
}
CONFLICT = "another batch already used this `Idempotency-Key`; no job was made"

blueprint = BodyBlueprint("batch", __name__, description="Several tracks at once")


@dataclass(frozen=True)
class _Asked:
    """One job of a batch, as it was read."""

    source: Source
    spec: JobSpec
    request: Request


@blueprint.route("/v1/jobs:batch", methods=["POST"])
@blueprint.arguments(BatchForm, example={"jobs": [JSON_EXAMPLE]})
@blueprint.response(200, BatchSchema)
@blueprint.alt_response(409, schema=ProblemSchema, description=CONFLICT)
@blueprint.doc(parameters=[BATCH_KEY])
def submit(form: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Send several tracks

    Each track is a link, an upload or another job's file. `results` has one entry for each job, in order: the job, or
    the error that refused it. An error in one job does not refuse the others. A batch that is sent again with the same
    `Idempotency-Key` header gets the jobs that it made the first time, and makes only those that it did not make then.
    A job's own `idempotency_key` is what that header is in `POST /v1/jobs`. `replayed` says that an earlier request
    made the job; the header `Idempotent-Replayed: true` says so of all of them.
    """
    who, key, bodies = caller(Scope.SUBMIT), idempotency_key(), form["jobs"]
    asking = asked_by(who, key=False)
    read = [_read(body, who, asking.in_batch(key, position, len(bodies))) for position, body in enumerate(bodies)]
    together = [each for each in read if isinstance(each, _Asked) and each.request.part_of is not None]
    services().acceptance.check_repeat(who.owner, [([each.source], each.spec, each.request) for each in together])
    results = [_accepted(each) if isinstance(each, _Asked) else each for each in read]
    headers = {REPLAYED: "true"} if all(each.get("replayed") for each in results) else {}
    return {"results": results}, 200, headers


def _read(body: dict[str, Any], who: Caller, request: Request) -> _Asked | dict[str, Any]:
    """What one body asks for, or the result that says why it can't be done."""
    try:
        if not body.get("source") or "file" in body:
            raise MissingFile("a job of a batch needs a `source`: a url, an upload_id or a job_id")
        if (own := body.get(OWN_KEY)) is not None:
            request = replace(request, idempotency_key=checked_key(own), part_of=None)
        try:
            fields = JobForm().load({name: value for name, value in body.items() if name != OWN_KEY})
        except ValidationError as error:
            refused = UnprocessableEntity()
            refused.data = {"messages": {"json": error.messages}}  # type: ignore[attr-defined]
            raise refused from error
        (source,) = read_source(fields["source"], who)
        return _Asked(source, read_spec("separate", fields), request)
    except (StemsvcError, HTTPException) as error:
        return _refused(error)


def _accepted(asked: _Asked) -> dict[str, Any]:
    try:
        view = services().acceptance.accept([asked.source], asked.spec, asked.request)
    except (StemsvcError, HTTPException) as error:
        return _refused(error)
    return {"status": 201, "job": shown(view), "replayed": view.replayed}


def _refused(error: StemsvcError | HTTPException) -> dict[str, Any]:
    answer = problem_of(error)
    return {"status": answer.status_code, "error": json.loads(answer.get_data())}
