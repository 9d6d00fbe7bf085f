"""Who asks: the key in `Authorization: Bearer`, what it may do, and whose jobs it sees.

While no key exists (or keys were waived) and the api listens on the loopback only, the service is open to anyone who
reaches it, but not to the pages that a browser on this machine opens (`api.edge.sites`). Every request needs a key once
one was made, or when the api listens to other machines.
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

from api.edge.sites import Sites
from stemsvc.accounts.keys import Key, Scope, fits, parse_token
from stemsvc.errors import Forbidden
from stemsvc.jobstore.keys import Keys

log = structlog.get_logger()
KEEP_SECONDS = 2.0  # a revoked key still works for at most this long
MOST_KEPT = 10_000
METRICS = "/metrics"
# need no key; a signed URL is its own permission, and a proxy must not pass probes and metrics on to the outside
OPEN = ("/healthz/", METRICS, "/docs", "/openapi.json", "/v1/files/")
SECURITY: dict[str, Any] = {"type": "http", "scheme": "bearer", "description": "a key made by `stemsvc keys create`"}


@dataclass(frozen=True)
class Caller:
    """Who made this request. Without a key, where none is needed, it is an admin."""

    key: Key | None

    @property
    def owner(self) -> str:
        """Id of the key that owns the jobs of this request; empty without a key."""
        return self.key.id if self.key else ""

    @property
    def sees(self) -> str | None:
        """Id of the key whose jobs this request may see; None: everyone's."""
        return None if self.key is None or Scope.ADMIN in self.key.scopes else self.key.id

    def need(self, scope: Scope) -> None:
        """Raise `UsageError` `forbidden` unless the caller has the scope."""
        if self.key is not None and not self.key.may(scope):
            raise Forbidden(f"this key lacks the scope `{scope}`")


class Doorkeeper:
    """Finds keys, and remembers them for `KEEP_SECONDS`, so that few requests ask the job store."""

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
            raise _unauthorized("this key is unknown, expired or revoked")
        return Caller(key)

    def _needed(self) -> bool:
        if not self._private:
            return True
        until, _ = self._any
        if time.monotonic() > until:  # a key may have been made, or keys waived
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
            if len(self._known) >= MOST_KEPT:  # someone is guessing ids
                self._known.clear()
            self._known[key_id] = (now + KEEP_SECONDS, key)
        return key


def install(app: Flask) -> None:
    """Check the key before each request, except for the paths in `OPEN`."""
    settings = services_of(app).settings
    keeper = Doorkeeper(services_of(app).store.keys, settings.api_host)
    sites = Sites(settings.api_host, settings.public_url, settings.allowed_hosts, settings.cors_origins)
    private = _is_loopback(settings.api_host)
    if not private:
        log.info("every request needs a key", host=settings.api_host)

    @app.before_request
    def _ask() -> None:
        if request.method == "OPTIONS":  # a browser's preflight has no key
            return
        if private and request.path == METRICS:
            sites.check_host(_host())
        if request.path.startswith(OPEN):
            return
        g.caller = keeper.caller(request.headers.get("Authorization"))
        if g.caller.key is None:
            sites.check(request.method, _host(), request.headers)


def _host() -> str:
    """The `Host` as it was sent; the address that was called where an old client sends none."""
    return str(request.environ.get("HTTP_HOST") or request.environ.get("SERVER_NAME", ""))


def services_of(app: Flask) -> Any:
    """The services of an app, outside of a request."""
    return app.extensions["stemsvc"]


def caller(scope: Scope) -> Caller:
    """Who makes this request. Raises `UsageError` `forbidden` if the key lacks the scope."""
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
