"""`/v1/usage`: what was used, and what it cost."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from flask_smorest import Blueprint

from api.edge.auth import caller
from api.schemas.answers import UsageSchema
from api.schemas.forms import UsageQuery
from api.services import services
from stemsvc.accounts.keys import Scope
from stemsvc.control.bill import bill

DEFAULT_SECONDS = 30 * 86400.0

blueprint = Blueprint("usage", __name__, url_prefix="/v1/usage", description="What was used")


@blueprint.route("")
@blueprint.arguments(UsageQuery, location="query")
@blueprint.response(200, UsageSchema)
def show(query: dict[str, Any]) -> dict[str, Any]:
    """Sum up what was used

    The report covers the jobs that were accepted in that time, also those that were deleted since. With the scope
    `admin` it covers everyone's jobs.
    """
    until = query["until"] if query["until"] is not None else time.time()
    since = query["since"] if query["since"] is not None else max(0.0, until - DEFAULT_SECONDS)
    settings = services().settings
    accounts = services().store.usage.accounts(since, until, caller(Scope.READ).sees)
    return {
        "since": datetime.fromtimestamp(since, UTC),
        "until": datetime.fromtimestamp(until, UTC),
        "currency": settings.currency,
        "accounts": [bill(account, settings.price_per_device_hour) for account in accounts],
    }
