"""`/v1/failures`: what failed, and how often."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from flask_smorest import Blueprint

from api.edge.auth import caller
from api.schemas.reports import FailuresQuery, FailuresSchema
from api.services import services
from stemsvc.accounts.keys import Scope

DEFAULT_SECONDS = 86400.0

blueprint = Blueprint("failures", __name__, url_prefix="/v1/failures", description="What failed")


@blueprint.route("")
@blueprint.arguments(FailuresQuery, location="query")
@blueprint.response(200, FailuresSchema)
def show(query: dict[str, Any]) -> dict[str, Any]:
    """Count the failures by code

    The report covers the jobs that failed in that time and are still recorded. With the scope `admin` it covers
    everyone's.
    """
    until = query["until"] if query["until"] is not None else time.time()
    since = query["since"] if query["since"] is not None else max(0.0, until - DEFAULT_SECONDS)
    found = services().store.failures(since, until, caller(Scope.READ).sees)
    return {
        "since": datetime.fromtimestamp(since, UTC),
        "until": datetime.fromtimestamp(until, UTC),
        "failures": [{**asdict(each), "last_at": datetime.fromtimestamp(each.last_at, UTC)} for each in found],
    }
