"""The cookie of a page's session. No script can read it, and no other site's page can send it."""

from __future__ import annotations

from flask import request
from werkzeug.http import dump_cookie

NAME = "stemsvc_session"
SECURE_NAME = f"__Host-{NAME}"  # browsers take it from https alone, and from no other host


def token() -> str | None:
    """The token that this request carries; None where it has no cookie of ours."""
    return request.cookies.get(SECURE_NAME) or request.cookies.get(NAME) or None


def put(value: str, seconds: float) -> list[tuple[str, str]]:
    """The header that sets the cookie for so long, as pairs."""
    secure = _is_https()
    return [("Set-Cookie", _dumped(SECURE_NAME if secure else NAME, value, int(seconds), secure))]


def drop() -> list[tuple[str, str]]:
    """The headers that delete the cookie, under whichever of its names this request carries it."""
    sent = [name for name in (SECURE_NAME, NAME) if name in request.cookies]
    return [("Set-Cookie", _dumped(name, "", 0, name == SECURE_NAME)) for name in sent]


def _dumped(name: str, value: str, seconds: int, secure: bool) -> str:
    return dump_cookie(name, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="Strict")


def _is_https() -> bool:
    """Whether the browser called by https. It says so in `Origin`; a proxy that ends TLS may not tell us."""
    origin = request.headers.get("Origin")
    return origin.lower().startswith("https://") if origin else request.is_secure
