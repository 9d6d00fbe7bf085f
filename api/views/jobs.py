"""`/v1/jobs`: send a track, follow the job, get the stems' URLs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from api.edge.acting import acting
from api.edge.auth import caller
from api.edge.bodies import BodyBlueprint
from api.edge.prefer_wait import PREFER, awaited
from api.schemas.answers import ProblemSchema
from api.schemas.forms import JobQuery
from api.schemas.jobs import JobPageSchema, JobSchema
from api.schemas.kinds.separate import JobForm
from api.schemas.read import asked_by
from api.services import services
from api.views.creating import IDEMPOTENCY_KEY, Created, accepted, creates, made, shown
from stemsvc.accounts.keys import Scope
from stemsvc.control.present import summary
from stemsvc.jobstore.listing import Filter

blueprint = BodyBlueprint("jobs", __name__, url_prefix="/v1", description="Separate tracks")


@blueprint.route("/jobs", methods=["POST"])
@creates(blueprint, JobForm, "submitJob")
def submit(form: dict[str, Any]) -> Created:
    """Send a track

    Send a multipart form with the `file`. The answer is the queued job, and `Location` is the path to follow it. After
    an answer of 201, the job will reach an end state. A request that is sent again with the same `Idempotency-Key`
    header gets the job that it made the first time, and the header `Idempotent-Replayed: true`. This path takes JSON
    with a `source`, too: what `POST /v1/jobs:from-source` takes.
    """
    return accepted("separate", form)


@blueprint.route("/jobs:from-source", methods=["POST"])
@creates(blueprint, JobForm, "submitJobFromSource", "source")
def submit_from_source(form: dict[str, Any]) -> Created:
    """Name a track by its source

    Send JSON with a `source`: a link, an upload that was sent before, or a file that another job made. All else is as
    in `POST /v1/jobs`.
    """
    return accepted("separate", form)


@blueprint.route("/jobs", methods=["GET"])
@blueprint.arguments(JobQuery, location="query")
@blueprint.response(200, JobPageSchema)
def index(query: dict[str, Any]) -> dict[str, Any]:
    """List jobs

    The newest job comes first. `next_cursor` leads to the next page, and stays valid while jobs come and go.
    """
    limit, cursor, words, mine = (query.pop(name) for name in ("limit", "cursor", "q", "mine"))
    who, kept = caller(Scope.READ), services().retention
    which = Filter(owner=who.owner if mine else who.sees, words=words, **query)
    page = services().store.page(which, limit, cursor)
    return {"jobs": [summary(job, kept) for job in page.jobs], "next_cursor": page.cursor}


@blueprint.route("/jobs/<string:job_id>")
@blueprint.response(200, JobSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description="no such job, or it is another key's")
@blueprint.doc(parameters=[PREFER])
def show(job_id: str) -> dict[str, Any]:
    """Follow a job

    Each answer has freshly signed URLs of the stems.
    """
    return shown(awaited(services().acceptance.view(job_id, caller(Scope.READ).sees)))


@blueprint.route("/jobs/<string:job_id>/cancel", methods=["POST"])
@blueprint.response(200, JobSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description="no such job, or it is another key's")
@blueprint.alt_response(409, schema=ProblemSchema, description="the job has ended already")
def cancel(job_id: str) -> dict[str, Any]:
    """Stop a job

    The job is canceled at once. A worker that runs it stops within one segment. Canceling twice is no error.
    """
    sees = caller(Scope.SUBMIT).sees
    services().acceptance.cancel(job_id, sees)
    return shown(services().acceptance.view(job_id, sees))


@blueprint.route("/jobs/<string:job_id>/retry", methods=["POST"])
@blueprint.response(201, JobSchema)
@blueprint.alt_response(403, schema=ProblemSchema, description="the key lacks a scope, or may not send this priority")
@blueprint.alt_response(404, schema=ProblemSchema, description="no such job, or it is another key's")
@blueprint.alt_response(409, schema=ProblemSchema, description="the job goes on, has succeeded, or the key was used")
@blueprint.alt_response(410, schema=ProblemSchema, description="the job's track is no longer stored")
@blueprint.alt_response(429, schema=ProblemSchema, description="too many jobs wait; see `Retry-After`")
@blueprint.doc(parameters=[IDEMPOTENCY_KEY, PREFER])
def retry(job_id: str) -> Created:
    """Try a job again

    A job that failed, was canceled or expired becomes a new job, with the same options. Its link is fetched again, or
    its upload is taken again, as long as that is stored. A track that came with the job itself is kept for a while
    after the job failed or was canceled, unless the track was at fault. Once it is erased, the answer is 410
    `input_gone`. The new job's `retry_of` names the old one.
    """
    who = caller(Scope.SUBMIT)
    sources, spec = services().acceptance.again(job_id, who.sees)
    if any(source.url for source in sources):
        who.need(Scope.URL_SOURCE)
    return made(services().acceptance.accept(sources, spec, replace(asked_by(who), retry_of=job_id)))


@blueprint.route("/jobs/<string:job_id>", methods=["DELETE"])
@blueprint.response(204)
@blueprint.alt_response(404, schema=ProblemSchema, description="no such job, or it is another key's")
def erase(job_id: str) -> None:
    """Stop a job and erase it

    The track, the stems and the job's record are deleted. Its URLs stop working.
    """
    who = caller(Scope.SUBMIT)
    services().acceptance.erase(job_id, who.sees, acting(who))
