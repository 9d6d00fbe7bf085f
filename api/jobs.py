"""`/v1/jobs`: send a track, follow the job, get the stems' URLs."""

from __future__ import annotations

from typing import Any

from flask import url_for

from api.errors import ProblemSchema
from api.multipart import MultipartBlueprint, the_upload
from api.present import job_body
from api.requests import idempotency_key, request_id
from api.schemas import JobForm, JobSchema
from api.services import services
from stemsvc import outputs
from stemsvc.errors import UsageError
from stemsvc.jobs import JobOptions, JobView, check_encoding
from stemsvc.reception import Request
from stemsvc.separation import SeparationOptions

IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "your name for this request, kept for a day: sent again with it, it makes no second job",
}

blueprint = MultipartBlueprint("jobs", __name__, url_prefix="/v1/jobs", description="Separate tracks")


@blueprint.route("", methods=["POST"])
@blueprint.arguments(JobForm, location="multipart")
@blueprint.response(201, JobSchema)
@blueprint.alt_response(409, schema=ProblemSchema, description="the key came before with another request")
@blueprint.alt_response(429, schema=ProblemSchema, description="too many jobs wait; `Retry-After` tells when to come")
@blueprint.alt_response(503, schema=ProblemSchema, description="a part of the service is away; nothing was accepted")
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def submit(form: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Send a track

    The answer is the queued job; `Location` is where to follow it. Once it is answered with 201, the job
    will reach an end state. Sent again with the same `Idempotency-Key` header, a request is answered with the
    job that it made the first time.
    """
    options = read_options(form)
    upload = the_upload(services().settings.max_upload_bytes)
    asked = Request(id=request_id(), idempotency_key=idempotency_key())
    view = services().reception.accept(upload, options, asked)
    return job_body(services(), view), 201, {"Location": url_for("jobs.show", job_id=view.job.id)}


@blueprint.route("/<string:job_id>")
@blueprint.response(200, JobSchema)
def show(job_id: str) -> dict[str, Any]:
    """Follow a job

    Stems carry freshly signed URLs at each read.
    """
    return job_body(services(), _view(job_id))


@blueprint.route("/<string:job_id>/cancel", methods=["POST"])
@blueprint.response(200, JobSchema)
def cancel(job_id: str) -> dict[str, Any]:
    """Stop a job

    It is canceled at once; a worker that is at it stops within one segment. Canceling twice is no error.
    """
    services().reception.cancel(job_id)
    return job_body(services(), _view(job_id))


@blueprint.route("/<string:job_id>", methods=["DELETE"])
@blueprint.response(204)
def erase(job_id: str) -> None:
    """Stop a job and erase it

    The track, the stems and the job's record are deleted; its URLs open nothing any more.
    """
    services().reception.erase(job_id)


def _view(job_id: str) -> JobView:
    view = services().store.view(job_id)
    if view is None:
        raise UsageError("job_not_found", "no such job")
    return view


def read_options(form: dict[str, Any]) -> JobOptions:
    """The form's fields, checked against the catalog and the formats. Raises `UsageError`."""
    entry = services().catalog.get(form.get("model") or services().settings.default_model)
    stems = outputs.choose(form["stems"], entry.stems, form["residual"])
    bit_depth = check_encoding(form["format"], form["bit_depth"] or None)
    separation = SeparationOptions(*(form[name] for name in ("overlap", "shifts", "seed", "segment", "precision")))
    separation.check(entry.segment_seconds)
    return JobOptions(entry.name, form["device"], stems, form["format"], bit_depth, form["residual"], separation)
