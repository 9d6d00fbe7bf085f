"""`/v1/usage`: what was used, and what it cost."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from flask_smorest import Blueprint

from api.edge.auth import caller
from api.schemas.answers import ProblemSchema
from api.schemas.reports import MOST_PERIODS, STEPS, SeriesQuery, SeriesSchema, UsageQuery, UsageSchema
from api.services import services
from stemsvc.accounts.keys import Scope
from stemsvc.control.bill import bill
from stemsvc.errors import BadOptions
from stemsvc.jobstore.usage import Account

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
    since, until = _time(query)
    settings = services().settings
    accounts = services().store.usage.accounts(since, until, caller(Scope.READ).sees)
    return {
        "since": datetime.fromtimestamp(since, UTC),
        "until": datetime.fromtimestamp(until, UTC),
        "currency": settings.currency,
        "accounts": [bill(account, settings.price_per_device_hour) for account in accounts],
    }


@blueprint.route("/series")
@blueprint.arguments(SeriesQuery, location="query")
@blueprint.response(200, SeriesSchema)
@blueprint.alt_response(422, schema=ProblemSchema, description="the time has too many periods")
def series(query: dict[str, Any]) -> dict[str, Any]:
    """Sum up what was used, period by period

    A job belongs to the hour or day, in UTC, in which it was accepted. With the scope `admin` the report covers
    everyone's jobs.
    """
    (since, until), step = _time(query), STEPS[query["step"]]
    numbers = range(int(since // step), int(-(-until // step)))
    if len(numbers) > MOST_PERIODS:
        raise BadOptions(f"the time has {len(numbers)} periods; at most {MOST_PERIODS} are reported")
    settings = services().settings
    found = services().store.usage.periods(since, until, step, caller(Scope.READ).sees)
    return {
        "since": datetime.fromtimestamp(since, UTC),
        "until": datetime.fromtimestamp(until, UTC),
        "step_seconds": step,
        "currency": settings.currency,
        "periods": [
            {
                "at": datetime.fromtimestamp(number * step, UTC),
                **bill(found.get(number, Account("")), settings.price_per_device_hour),
            }
            for number in numbers
        ],
    }


def _time(query: dict[str, Any]) -> tuple[float, float]:
    until = query["until"] if query["until"] is not None else time.time()
    return query["since"] if query["since"] is not None else max(0.0, until - DEFAULT_SECONDS), until
