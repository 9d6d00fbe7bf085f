"""`/v1/jobs`: send a track, follow the job, get the stems' URLs."""

from __future__ import annotations

from typing import Any

from flask import url_for

from api.auth import caller
from api.errors import ProblemSchema
from api.multipart import MultipartBlueprint, the_upload
from api.present import job_body, summary
from api.requests import idempotency_key, request_id
from api.schemas import JobForm, JobPageSchema, JobQuery, JobSchema
from api.services import services
from stemsvc import outputs
from stemsvc.jobs import JobOptions, check_encoding
from stemsvc.jobstore.listing import Filter
from stemsvc.keys import Scope
from stemsvc.names import check_template
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
    who = caller(Scope.SUBMIT)
    options = read_options(form)
    upload = the_upload(services().settings.max_upload_bytes)
    asked = Request(id=request_id(), owner=who.owner, idempotency_key=idempotency_key())
    view = services().reception.accept(upload, options, asked)
    return job_body(services(), view), 201, {"Location": url_for("jobs.show", job_id=view.job.id)}


@blueprint.route("", methods=["GET"])
@blueprint.arguments(JobQuery, location="query")
@blueprint.response(200, JobPageSchema)
def index(query: dict[str, Any]) -> dict[str, Any]:
    """List jobs

    The newest first. `next_cursor` leads to the page after this one, and stays true while jobs come and go.
    """
    limit, cursor = query.pop("limit"), query.pop("cursor")
    which = Filter(owner=caller(Scope.READ).sees, **query)
    page = services().store.page(which, limit, cursor)
    return {"jobs": [summary(job) for job in page.jobs], "next_cursor": page.cursor}


@blueprint.route("/<string:job_id>")
@blueprint.response(200, JobSchema)
def show(job_id: str) -> dict[str, Any]:
    """Follow a job

    Stems carry freshly signed URLs at each read.
    """
    return job_body(services(), services().reception.view(job_id, caller(Scope.READ).sees))


@blueprint.route("/<string:job_id>/cancel", methods=["POST"])
@blueprint.response(200, JobSchema)
def cancel(job_id: str) -> dict[str, Any]:
    """Stop a job

    It is canceled at once; a worker that is at it stops within one segment. Canceling twice is no error.
    """
    sees = caller(Scope.SUBMIT).sees
    services().reception.cancel(job_id, sees)
    return job_body(services(), services().reception.view(job_id, sees))


@blueprint.route("/<string:job_id>", methods=["DELETE"])
@blueprint.response(204)
def erase(job_id: str) -> None:
    """Stop a job and erase it

    The track, the stems and the job's record are deleted; its URLs open nothing any more.
    """
    services().reception.erase(job_id, caller(Scope.SUBMIT).sees)


def read_options(form: dict[str, Any]) -> JobOptions:
    """The form's fields, checked against the catalog and the formats. Raises `UsageError`."""
    entry = services().catalog.get(form.get("model") or services().settings.default_model)
    stems = outputs.choose(form["stems"], entry.stems, form["residual"])
    bit_depth = check_encoding(form["format"], form["bit_depth"] or None)
    separation = SeparationOptions(*(form[name] for name in ("overlap", "shifts", "seed", "segment", "precision")))
    separation.check(entry.segment_seconds)
    return JobOptions(
        entry.name, form["device"], stems, form["format"], bit_depth, form["residual"],
        check_template(form["filename_template"]), form["metadata"], separation,
    )  # fmt: skip
