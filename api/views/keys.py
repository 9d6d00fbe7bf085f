"""`/v1/keys`: an admin makes, lists and revokes clients' keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from flask import url_for

from api.edge.acting import acting
from api.edge.auth import caller, doorkeeper
from api.edge.bodies import BodyBlueprint
from api.schemas.answers import ProblemSchema
from api.schemas.keys import KeyForm, KeysSchema, MadeKeySchema
from api.services import services
from stemsvc.accounts.keys import Key, Scope, new_key
from stemsvc.accounts.retention import DAY
from stemsvc.errors import BadOptions, KeyNotFound
from stemsvc.jobs.record import Priority
from stemsvc.observe.loggers import get_logger

log = get_logger()

blueprint = BodyBlueprint("keys", __name__, url_prefix="/v1/keys", description="Clients' keys, for admins")


@blueprint.route("", methods=["GET"])
@blueprint.response(200, KeysSchema)
def index() -> dict[str, Any]:
    """List the keys

    It needs the scope `admin`. The oldest comes first. Secrets are not stored, so they can't be shown.
    """
    caller(Scope.ADMIN)
    keys = services().store.keys
    return {"needed": doorkeeper().needed(), "keys": [_shown(key) for key in keys.all()]}


@blueprint.route("", methods=["POST"])
@blueprint.arguments(KeyForm, example={"name": "band", "scopes": ["submit", "read"]})
@blueprint.response(201, MadeKeySchema)
@blueprint.alt_response(403, schema=ProblemSchema, description="the key lacks the scope `admin`")
def create(form: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Make a key

    It needs the scope `admin`. The answer has the key with its secret, which is shown only this once. Once the first
    key exists, every request needs one.
    """
    who = caller(Scope.ADMIN)
    key, token = new_key(form["name"].strip(), frozenset(Scope(scope) for scope in form["scopes"]))
    key = replace(
        key,
        max_waiting=form["max_waiting"],
        minutes_per_day=form["minutes_per_day"],
        max_stored_bytes=form["max_stored_bytes"],
        max_priority=Priority[form["max_priority"].upper()],
        expires_at=form["expires_at"],
        retention_seconds=None if form["retention_days"] is None else form["retention_days"] * DAY,
    )
    keys = services().store.keys
    if key.expires_at is not None and key.expires_at <= services().store.now():
        raise BadOptions("the key would have expired already")
    keys.add(key, acting(who))
    doorkeeper().forget()
    log.info("key made", key=key.id, by=who.owner or None)
    made = keys.find(key.id) or key
    return {**_shown(made), "key": token}, 201, {"Location": url_for("keys.revoke", key_id=key.id)}


@blueprint.route("/<string:key_id>", methods=["DELETE"])
@blueprint.response(204)
@blueprint.alt_response(403, schema=ProblemSchema, description="the key lacks the scope `admin`")
@blueprint.alt_response(404, schema=ProblemSchema, description="no such key, or it is revoked already")
def revoke(key_id: str) -> None:
    """Revoke a key

    It needs the scope `admin`. Within seconds the key and its sessions open nothing. Its jobs stay.
    """
    who = caller(Scope.ADMIN)
    if not services().store.keys.revoke(key_id, acting(who)):
        raise KeyNotFound("no such key, or it is revoked already")
    doorkeeper().forget()
    log.info("key revoked", key=key_id, by=who.owner or None)


def _shown(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": [str(scope) for scope in Scope if scope in key.scopes],
        "max_waiting": key.max_waiting,
        "minutes_per_day": key.minutes_per_day,
        "max_stored_bytes": key.max_stored_bytes,
        "max_priority": key.highest.word,
        "retention_days": None if key.retention_seconds is None else key.retention_seconds / DAY,
        "created_at": _moment(key.created_at),
        "expires_at": _moment(key.expires_at),
        "old_secret_until": _moment(key.old_until),
        "revoked_at": _moment(key.revoked_at),
    }


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
