"""Who asks: a key from `Authorization: Bearer`, what it may do, and whose jobs it sees.

Without any key, and on the loopback only, the service is open to whoever reaches it. Once a key was made, or where
the api listens to other machines, each request needs one.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from dataclasses import dataclass
from typing import Any

import structlog
from flask import Flask, g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from stemsvc.accounts.keys import Key, Scope, fits, parse_token
from stemsvc.errors import Forbidden
from stemsvc.jobstore.keys import Keys

log = structlog.get_logger()
KEEP_SECONDS = 2.0  # a revoked key works no longer than this
MOST_KEPT = 10_000
OPEN = ("/healthz/", "/docs", "/openapi.json", "/v1/files/")  # signed URLs carry their own right
SECURITY: dict[str, Any] = {"type": "http", "scheme": "bearer", "description": "a key of `stemsvc keys create`"}


@dataclass(frozen=True)
class Caller:
    """Who made this request; without a key, where none is needed, an admin."""

    key: Key | None

    @property
    def owner(self) -> str:
        """Whose the jobs are that this request makes."""
        return self.key.id if self.key else ""

    @property
    def sees(self) -> str | None:
        """Whose jobs this request may see; None: everybody's."""
        return None if self.key is None or Scope.ADMIN in self.key.scopes else self.key.id

    def need(self, scope: Scope) -> None:
        """Raise `UsageError` `forbidden` unless the caller has the scope."""
        if self.key is not None and not self.key.may(scope):
            raise Forbidden(f"this key lacks the scope `{scope}`")


class Doorkeeper:
    """Knows keys for a moment, so that not each request asks the store."""

    def __init__(self, keys: Keys, host: str) -> None:
        self._keys = keys
        self._private = _is_loopback(host)
        self._known: dict[str, tuple[float, Key | None]] = {}
        self._any = (0.0, False)
        self._guard = threading.Lock()

    def caller(self, header: str | None) -> Caller:
        """Who sends this Authorization header. Raises werkzeug's `Unauthorized`."""
        if header is None:
            if self._needed():
                raise _unauthorized("send a key: `Authorization: Bearer ...`")
            return Caller(None)
        kind, _, token = header.partition(" ")
        parts = parse_token(token.strip()) if kind.lower() == "bearer" else None
        key = self._find(parts[0]) if parts else None
        if parts is None or key is None or not fits(key, parts[1]):
            raise _unauthorized("this key is unknown or revoked")
        return Caller(key)

    def _needed(self) -> bool:
        if not self._private:
            return True
        until, found = self._any
        if not found and time.monotonic() > until:  # once there was one it stays so
            self._any = (time.monotonic() + KEEP_SECONDS, self._keys.any())
        return self._any[1]

    def _find(self, key_id: str) -> Key | None:
        now = time.monotonic()
        with self._guard:
            until, key = self._known.get(key_id, (0.0, None))
        if now < until:
            return key
        key = self._keys.find(key_id)
        with self._guard:
            if len(self._known) >= MOST_KEPT:  # somebody tries ids
                self._known.clear()
            self._known[key_id] = (now + KEEP_SECONDS, key)
        return key


def install(app: Flask) -> None:
    """Ask who comes before each request that is not open to all."""
    settings = services_of(app).settings
    keeper = Doorkeeper(services_of(app).store.keys, settings.api_host)
    if not _is_loopback(settings.api_host):
        log.info("every request needs a key", host=settings.api_host)

    @app.before_request
    def _ask() -> None:
        if request.method != "OPTIONS" and not request.path.startswith(OPEN):  # browsers ask first without a key
            g.caller = keeper.caller(request.headers.get("Authorization"))


def services_of(app: Flask) -> Any:
    """The services of an app that handles no request yet."""
    return app.extensions["stemsvc"]


def caller(scope: Scope) -> Caller:
    """Who asks, if he may. Raises `UsageError` `forbidden`."""
    found: Caller = g.caller
    found.need(scope)
    return found


def _unauthorized(detail: str) -> Unauthorized:
    return Unauthorized(detail, www_authenticate=WWWAuthenticate("bearer"))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
