"""`/v1/session`: a page sends a key once, and is then known by a cookie that no script can read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import request
from werkzeug.exceptions import Unauthorized

from api.edge import cookies, sign_ins
from api.edge.auth import Caller, doorkeeper
from api.edge.bodies import BodyBlueprint
from api.schemas.answers import ProblemSchema
from api.schemas.keys import SessionForm, SessionSchema
from api.services import services
from stemsvc.accounts.keys import Scope, hash_of
from stemsvc.accounts.sessions import new_session
from stemsvc.observe.loggers import get_logger

log = get_logger()
Answer = tuple[dict[str, Any], int, list[tuple[str, str]]]

blueprint = BodyBlueprint("session", __name__, url_prefix="/v1/session", description="Sign a page in")


@blueprint.route("", methods=["POST"])
@blueprint.arguments(SessionForm, example={"key": "stemsvc_abcdefghij_" + "x" * 43})
@blueprint.response(200, SessionSchema)
@blueprint.alt_response(401, schema=ProblemSchema, description="the key is unknown, expired or revoked")
@blueprint.alt_response(403, schema=ProblemSchema, description="a page of another site sent it")
@blueprint.alt_response(429, schema=ProblemSchema, description="too many tries have failed; see `Retry-After`")
def sign_in(form: dict[str, Any]) -> Answer:
    """Sign in

    Send a key once. The answer sets a cookie, with which the service's own pages call as with the key. The session ends
    with its time, with the key, or with its secret. Programs send the key with each request instead.
    """
    sign_ins.check()
    try:
        key, secret = doorkeeper().key(f"Bearer {form['key'].strip()}")
    except Unauthorized:
        sign_ins.failed()
        raise
    before, parts = cookies.token(), services()
    if before:
        parts.store.sessions.end(hash_of(before))
    session, token = new_session(key, secret)
    session = parts.store.sessions.add(session, parts.settings.session_seconds)
    log.info("signed in", key=key.id)
    return _body(Caller(key, session)), 200, cookies.put(token, parts.settings.session_seconds)


@blueprint.route("", methods=["GET"])
@blueprint.response(200, SessionSchema)
def show() -> dict[str, Any]:
    """Say who is signed in

    The answer also says whether a key is needed at all. Without a session, send no cookie and ask again after `POST`.
    """
    try:
        who: Caller | None = doorkeeper().caller(request.headers.get("Authorization"), cookies.token())
    except Unauthorized:
        who = None
    return _body(who)


@blueprint.route("", methods=["DELETE"])
@blueprint.response(204)
@blueprint.alt_response(403, schema=ProblemSchema, description="a page of another site sent it")
def sign_out() -> tuple[str, int, list[tuple[str, str]]]:
    """Sign out

    The session ends at once, also for who has a copy of its cookie.
    """
    if token := cookies.token():
        services().store.sessions.end(hash_of(token))
        doorkeeper().forget()
    return "", 204, cookies.drop()


def _body(who: Caller | None) -> dict[str, Any]:
    key = who.key if who else None
    scopes = [scope for scope in Scope if who and (key is None or key.may(scope))]
    ends = [each for each in (who.session.expires_at, key.expires_at) if each] if who and who.session and key else []
    return {
        "open": not doorkeeper().needed(),
        "signed_in": key is not None,
        "key_id": key.id if key else None,
        "key_name": key.name if key else None,
        "scopes": [str(scope) for scope in scopes],
        "max_priority": who.highest.word if who and Scope.SUBMIT in scopes else None,
        "expires_at": datetime.fromtimestamp(min(ends), UTC) if ends else None,
    }
