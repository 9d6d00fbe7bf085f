"""What all calls that make a job have in common, whatever its kind: answers, headers and steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import request, url_for

from api.edge.auth import caller
from api.edge.bodies import BodyBlueprint
from api.edge.prefer_wait import PREFER, awaited
from api.schemas.answers import ProblemSchema
from api.schemas.forms import KindForm
from api.schemas.jobs import JobSchema
from api.schemas.kinds.registry import forms
from api.schemas.read import asked_by, read_inputs, read_spec
from api.services import services
from stemsvc.accounts.keys import Scope
from stemsvc.control.present import Links, job_body
from stemsvc.jobs.record import JobView

Created = tuple[dict[str, Any], int, dict[str, str]]
View = Callable[[dict[str, Any]], Created]
REPLAYED = "Idempotent-Replayed"  # says that an earlier request with the same key made what this one got
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "your own name for this request, kept for a day: sent again with it, a request makes no second job",
}
ERRORS = {
    403: "the key lacks a scope, or may not send this priority",
    404: "no such upload, or it has expired; no such job to take a file of",
    409: "another request already used this `Idempotency-Key`; the job to take a file of has not succeeded",
    410: "the file to take of a job has been erased",
    413: "the file is too large",
    415: "the body's media type is not supported",
    429: "too many jobs wait; try again after `Retry-After` seconds",
    503: "a part of the service does not answer; no job was accepted, or perhaps one if `code` is `acceptance_unknown`",
}


def creates(
    blueprint: BodyBlueprint, form: type[KindForm], operation: str, location: str = "job"
) -> Callable[[View], View]:
    """Decorate a view that takes this form and answers with the job it made. `operation` is its operationId.

    `location` is where the form is: `job`, a form with a file or JSON with a source; `source`, such JSON alone.
    """

    def decorate(view: View) -> View:
        found = blueprint.doc(operationId=operation, parameters=[IDEMPOTENCY_KEY, PREFER])(view)
        for status, words in ERRORS.items():
            found = blueprint.alt_response(status, schema=ProblemSchema, description=words)(found)
        made: View = blueprint.arguments(form, location=location)(blueprint.response(201, JobSchema)(found))
        return made

    return decorate


def accepted(kind: str, form: dict[str, Any]) -> Created:
    """Make the job, and wait for its end if the client sent `Prefer: wait`."""
    who = caller(Scope.SUBMIT)
    form, sources = read_inputs(kind, forms()[kind], form, who)
    spec = read_spec(kind, form, [source.role for source in sources])
    return made(services().acceptance.accept(sources, spec, asked_by(who)))


def made(view: JobView) -> Created:
    """The answer to a request that made this job, or that came again; at its end if the client sent `Prefer: wait`."""
    headers = {"Location": url_for("jobs.show", job_id=view.job.id)}
    if view.replayed:
        headers[REPLAYED] = "true"
    return shown(awaited(view)), 201, headers


def shown(view: JobView) -> dict[str, Any]:
    """The job as this request's client sees it."""
    return job_body(links(), view)


def links() -> Links:
    """Signs URLs for this request's client."""
    parts = services()
    settings = parts.settings
    base = settings.public_url or request.host_url
    return Links(parts.storage, settings.url_ttl_seconds, base, parts.signer, parts.retention)
