"""`/v1/jobs/{id}/share` and `/v1/shared/{token}`: a page that shows one job to whoever has its address."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from flask import request

from api.edge.auth import caller
from api.edge.bodies import BodyBlueprint
from api.schemas.answers import ProblemSchema
from api.schemas.shared import SharedJobSchema, ShareForm, ShareSchema
from api.services import services
from api.views.creating import links
from stemsvc.accounts.keys import Scope
from stemsvc.control.present import public_body
from stemsvc.errors import JobNotFound

PAGE = "/s/"

blueprint = BodyBlueprint("shares", __name__, url_prefix="/v1", description="Show a job to who has no key")


@blueprint.route("/jobs/<string:job_id>/share", methods=["POST"])
@blueprint.arguments(ShareForm, example={"seconds": 86400})
@blueprint.response(201, ShareSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description="no such job, or it is another key's")
def share(form: dict[str, Any], job_id: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Share a job

    The answer has the address of a page on which anyone who has it can listen to the stems and download them. Nothing
    else can be reached by it, and nothing changed. It ends after `seconds`, and where the job is deleted.
    """
    job = services().acceptance.view(job_id, caller(Scope.READ).sees).job
    token, expires = services().signer.share(job.id, form["seconds"])
    base = (services().settings.public_url or request.host_url).rstrip("/")
    body = {"url": f"{base}{PAGE}{token}", "token": token, "expires_at": datetime.fromtimestamp(expires, UTC)}
    return body, 201, {"Location": f"{PAGE}{token}"}


@blueprint.route("/shared/<string:token>")
@blueprint.response(200, SharedJobSchema)
@blueprint.alt_response(403, schema=ProblemSchema, description="the link was not made here, or its time is over")
@blueprint.alt_response(404, schema=ProblemSchema, description="the job was deleted")
def shared(token: str) -> dict[str, Any]:
    """Show a shared job

    It needs no key: the token is the permission. The URLs end with the link.
    """
    job_id, expires = services().signer.check_share(token)
    view = services().store.view(job_id)
    if view is None:
        raise JobNotFound("the job was deleted")
    made = links()
    left = max(1, int(expires - time.time()))
    shown = public_body(replace(made, seconds=min(made.seconds, left)), view)
    return {**shown, "expires_at": datetime.fromtimestamp(expires, UTC)}
