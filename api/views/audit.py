"""`/v1/audit`: what admins did."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from flask_smorest import Blueprint

from api.edge.auth import caller
from api.schemas.answers import ProblemSchema
from api.schemas.audit import AuditQuery, AuditSchema
from api.services import services
from stemsvc.accounts.keys import Scope
from stemsvc.jobstore.audit import Entry

blueprint = Blueprint("audit", __name__, url_prefix="/v1/audit", description="What admins did")


@blueprint.route("")
@blueprint.arguments(AuditQuery, location="query")
@blueprint.response(200, AuditSchema)
@blueprint.alt_response(403, schema=ProblemSchema, description="the key lacks the scope `admin`")
def index(query: dict[str, Any]) -> dict[str, Any]:
    """List what admins did

    It needs the scope `admin`. The newest comes first. It has keys made, changed and revoked, jobs and workflows
    deleted, pools drained and resumed, backups and restores, from the api and from the command line.
    """
    caller(Scope.ADMIN)
    limit, act = query.pop("limit"), query.pop("act")
    found = services().store.audit.entries(limit + 1, acts=[act] if act else [], **query)
    following = found[limit - 1].id if len(found) > limit else None
    return {"entries": [_shown(each) for each in found[:limit]], "next_before": following}


def _shown(entry: Entry) -> dict[str, Any]:
    return {**asdict(entry), "at": datetime.fromtimestamp(entry.at, UTC)}
