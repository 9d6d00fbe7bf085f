"""`/v1/webhooks`: the secrets that sign the caller's webhooks, their deliveries, and a test of a receiver."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import httpx
from flask import current_app, url_for

from api.edge.auth import caller
from api.edge.bodies import BodyBlueprint
from api.edge.concurrency import gate
from api.schemas.answers import ProblemSchema
from api.schemas.webhooks import (
    DeliveryPageSchema,
    DeliveryQuery,
    DeliverySchema,
    OutcomeSchema,
    RotateForm,
    SecretSchema,
    SecretsSchema,
    TestForm,
)
from api.services import services
from stemsvc.accounts.keys import Scope
from stemsvc.accounts.webhooks import TEST, Delivery, Secret
from stemsvc.control.send_webhook import Poster
from stemsvc.control.services import open_guard
from stemsvc.errors import DeliveryNotFound, StemsvcError, TooManyStreams

blueprint = BodyBlueprint(
    "webhooks", __name__, url_prefix="/v1", description="Secrets, deliveries and tests of webhooks"
)
TESTS = 4  # at work at a time in each process: nobody may have the service call a host in a crowd
NO_DELIVERY = "no such delivery, or it is another key's"


@blueprint.route("/webhooks/secrets")
@blueprint.response(200, SecretsSchema)
def secrets() -> dict[str, Any]:
    """List the secrets that sign your webhooks

    The newest comes first. All of them sign each webhook. The first call makes the first secret.
    """
    owner = caller(Scope.SUBMIT).owner  # who can read a secret can sign: to read jobs is not enough
    return {"secrets": [_secret(each) for each in services().store.webhooks.signing(owner)]}


@blueprint.route("/webhooks/secrets", methods=["POST"])
@blueprint.arguments(RotateForm, example={"keep_hours": 24})
@blueprint.response(201, SecretSchema)
def rotate(form: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Make a new secret

    The earlier ones sign beside it for `keep_hours`, so that your receiver can change over.
    """
    owner = caller(Scope.SUBMIT).owner
    services().store.webhooks.rotate(owner, form["keep_hours"] * 3600)
    return _secret(services().store.webhooks.signing(owner)[0]), 201, {"Location": url_for("webhooks.secrets")}


@blueprint.route("/webhooks/secrets/<int(max=9223372036854775807):secret_id>", methods=["DELETE"])
@blueprint.response(204)
@blueprint.alt_response(404, schema=ProblemSchema, description="no such secret, or it is another key's")
@blueprint.alt_response(409, schema=ProblemSchema, description="it is the newest one")
def end(secret_id: int) -> None:
    """Have an old secret sign no longer

    The newest secret signs every webhook and can't be deleted: make another one first.
    """
    services().store.webhooks.end_secret(caller(Scope.SUBMIT).owner, secret_id)


@blueprint.route("/webhooks/deliveries")
@blueprint.arguments(DeliveryQuery, location="query")
@blueprint.response(200, DeliveryPageSchema)
def deliveries(query: dict[str, Any]) -> dict[str, Any]:
    """List the deliveries of your webhooks

    The newest comes first. `next_cursor` leads to the next page. A delivery is kept as long as its job.
    """
    limit, cursor = query.pop("limit"), query.pop("cursor")
    found, following = services().store.webhooks.page(caller(Scope.READ).sees, limit, cursor, **query)
    return {"deliveries": [_delivery(each) for each in found], "next_cursor": following}


@blueprint.route("/webhooks/deliveries/<string:delivery_id>")
@blueprint.response(200, DeliverySchema)
@blueprint.alt_response(404, schema=ProblemSchema, description=NO_DELIVERY)
def delivery(delivery_id: str) -> dict[str, Any]:
    """Show a delivery

    `detail` says what came of its last try.
    """
    return _delivery(_found(delivery_id, caller(Scope.READ).sees))


@blueprint.route("/webhooks/deliveries/<string:delivery_id>/replay", methods=["POST"])
@blueprint.response(200, DeliverySchema)
@blueprint.alt_response(404, schema=ProblemSchema, description=NO_DELIVERY)
def replay(delivery_id: str) -> dict[str, Any]:
    """Send a webhook again

    It is sent again from the start, however it ended, with the job as it is now. Its `webhook-id` stays the same.
    """
    sees = caller(Scope.SUBMIT).sees
    _found(delivery_id, sees)
    services().store.webhooks.replay(delivery_id)
    return _delivery(_found(delivery_id, sees))


@blueprint.route("/webhooks:test", methods=["POST"])
@blueprint.arguments(TestForm, example={"url": "https://example.org/hook"})
@blueprint.response(200, OutcomeSchema)
def test(form: dict[str, Any]) -> dict[str, Any]:
    """Send a test event to a URL, and tell what came of it

    It is signed as your webhooks are, its type is `webhook.test`, and it is sent once. The rules are those of a job's
    `webhook_url`: public addresses only, no redirects, 15 s for the whole exchange. An answer of 2xx is a success.
    """
    owner = caller(Scope.SUBMIT).owner
    parts = services()
    secrets = parts.store.webhooks.secrets(owner)
    poster = Poster(open_guard(parts.settings), parts.settings.fresh().fetch_proxy)
    poster.guard.check_url(form["url"])
    webhook_id, now = f"msg_{uuid.uuid4().hex}", datetime.now(UTC)
    body = json.dumps({"type": TEST, "timestamp": now.isoformat(), "data": {"url": form["url"]}})
    status: int | None = None
    with _one_of(TESTS), gate().waiting():
        try:
            status = poster.post(form["url"], webhook_id, secrets, body)
            detail = f"answered {status}"
        except StemsvcError as error:
            detail = f"{error.code}: {error.detail}"
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            detail = f"no answer ({type(error).__name__})"
    return {
        "delivered": status is not None and 200 <= status < 300,
        "status": status,
        "detail": detail,
        "webhook_id": webhook_id,
        "seconds": round((datetime.now(UTC) - now).total_seconds(), 3),
    }


@contextmanager
def _one_of(most: int) -> Iterator[None]:
    places = current_app.extensions.setdefault("webhook_tests", threading.BoundedSemaphore(most))
    if not places.acquire(blocking=False):
        raise TooManyStreams("too many tests of webhooks are under way", retry_after=10.0)
    try:
        yield
    finally:
        places.release()


def _found(delivery_id: str, sees: str | None) -> Delivery:
    found = services().store.webhooks.find(delivery_id) if delivery_id.replace("_", "").isalnum() else None
    if found is None or sees not in (None, found.owner):
        raise DeliveryNotFound("no such delivery")
    return found


def _secret(each: Secret) -> dict[str, Any]:
    return {**asdict(each), "created_at": _moment(each.created_at), "expires_at": _moment(each.expires_at)}


def _delivery(each: Delivery) -> dict[str, Any]:
    moments = {name: _moment(getattr(each, name)) for name in ("created_at", "next_at", "ended_at")}
    return {**asdict(each), **moments}


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
