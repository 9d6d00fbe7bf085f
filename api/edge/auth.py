"""Who asks: the key in `Authorization: Bearer` or of a page's session, what it may do, and whose jobs it sees.

While no key exists (or keys were waived) and the api listens on the loopback only, the service is open to anyone who
reaches it, but not to the pages that a browser on this machine opens (`api.edge.sites`). Every request needs a key once
one was made, or when the api listens to other machines.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from flask import Flask, current_app, g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from api.edge import cookies
from api.edge.sites import Sites
from stemsvc.accounts.bootstrap import BOOTSTRAP
from stemsvc.accounts.keys import Key, Scope, fits, hash_of, parse_token
from stemsvc.accounts.sessions import LONGEST_TOKEN, Session
from stemsvc.errors import Forbidden
from stemsvc.jobs.record import Priority
from stemsvc.jobstore import JobStore
from stemsvc.observe.loggers import get_logger

log = get_logger()
T = TypeVar("T")
ROOT = "/"
KEEP_SECONDS = 2.0  # a revoked key still works for at most this long
MOST_KEPT = 10_000
METRICS = "/metrics"
SESSION = "/v1/session"  # who has no key asks here whether one is needed, and sends it
# Need no key: what says where all else is, the page, the description. A proxy must not pass probes and metrics on.
OPEN = frozenset((ROOT, METRICS, SESSION, "/docs", "/openapi.json", "/app"))
# Nor does what lies below these: a signed URL and a link to a shared job are their own permission.
BELOW = ("/healthz/", "/docs/", "/v1/files/", "/v1/shared/", "/app/", "/s/", "/assets/")
SECURITY: dict[str, Any] = {"type": "http", "scheme": "bearer", "description": "a key made by `stemsvc keys create`"}


@dataclass(frozen=True)
class Caller:
    """Who made this request. Without a key, where none is needed, it is an admin.

    `session` is the page's session that stands for the key; None where the key itself was sent.
    """

    key: Key | None
    session: Session | None = None

    @property
    def owner(self) -> str:
        """Id of the key that owns the jobs of this request; empty without a key."""
        return self.key.id if self.key else ""

    @property
    def sees(self) -> str | None:
        """Id of the key whose jobs this request may see; None: everyone's."""
        return None if self.key is None or Scope.ADMIN in self.key.scopes else self.key.id

    @property
    def highest(self) -> Priority:
        """The highest priority that the caller's jobs may have."""
        return self.key.highest if self.key else Priority.HIGH

    def may(self, scope: Scope) -> bool:
        """Whether the caller has the scope."""
        return self.key is None or self.key.may(scope)

    def need(self, scope: Scope) -> None:
        """Raise `UsageError` `forbidden` unless the caller has the scope."""
        if not self.may(scope):
            raise Forbidden(f"this key lacks the scope `{scope}`")


class Doorkeeper:
    """Finds keys and sessions, and remembers them for `KEEP_SECONDS`, so that few requests ask the job store."""

    def __init__(self, store: JobStore, host: str) -> None:
        self._store = store
        self._private = _is_loopback(host)
        self._keys = Remembered(store.keys.find)
        self._sessions = Remembered(store.sessions.find)
        self._any = (0.0, False)

    def caller(self, header: str | None, token: str | None = None) -> Caller:
        """Who sends this Authorization header, or the session with this token. Raises werkzeug's `Unauthorized`."""
        if header is not None:
            return Caller(self.key(header)[0])
        found = self._of_session(token) if token else None
        if found is None and self.needed():
            raise _unauthorized("send a key: `Authorization: Bearer ...`" if not token else "the session has ended")
        return found or Caller(None)

    def key(self, header: str) -> tuple[Key, str]:
        """The key of an Authorization header, and its secret. Raises werkzeug's `Unauthorized`."""
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer":
            raise _unauthorized("this key is unknown, expired or revoked")
        key_id, secret = parse_token(token.strip()) or (BOOTSTRAP, token.strip())
        key = self._keys.find(key_id)
        if key is None or not fits(key, secret):
            raise _unauthorized("this key is unknown, expired or revoked")
        return key, secret

    def needed(self) -> bool:
        """Whether requests need a key."""
        if not self._private:
            return True
        until, _ = self._any
        if time.monotonic() > until:  # a key may have been made, or keys waived
            self._any = (time.monotonic() + KEEP_SECONDS, self._store.keys.any())
        return self._any[1]

    def forget(self) -> None:
        """Look everything up again: a key or a session was made or ended here."""
        self._any = (0.0, False)
        self._keys.forget()
        self._sessions.forget()

    def _of_session(self, token: str) -> Caller | None:
        session = self._sessions.find(hash_of(token)) if len(token) <= LONGEST_TOKEN else None
        key = self._keys.find(session.key_id) if session else None
        return Caller(key, session) if session and session.opens(key, time.time()) else None


class Remembered(Generic[T]):
    """What a store finds by a name, kept for `KEEP_SECONDS`; also that there is nothing."""

    def __init__(self, find: Callable[[str], T | None]) -> None:
        self._find = find
        self._known: dict[str, tuple[float, T | None]] = {}
        self._guard = threading.Lock()

    def find(self, name: str) -> T | None:
        """What the store has of that name, or had some moments ago."""
        now = time.monotonic()
        with self._guard:
            until, found = self._known.get(name, (0.0, None))
        if now < until:
            return found
        found = self._find(name)
        with self._guard:
            if len(self._known) >= MOST_KEPT:  # someone is guessing
                self._known.clear()
            self._known[name] = (now + KEEP_SECONDS, found)
        return found

    def forget(self) -> None:
        """Ask the store again."""
        with self._guard:
            self._known.clear()


def install(app: Flask) -> None:
    """Check the key before each request, except for the paths that are open."""
    settings = services_of(app).settings
    keeper = app.extensions["doorkeeper"] = Doorkeeper(services_of(app).store, settings.api_host)
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
        if request.path == SESSION:
            sites.check_own(request.method, _host(), request.headers, told=cookies.token() is not None)
        if is_open(request.path):
            return
        g.caller = keeper.caller(request.headers.get("Authorization"), cookies.token())
        if g.caller.key is None:
            sites.check(request.method, _host(), request.headers)
        elif g.caller.session is not None:
            sites.check_own(request.method, _host(), request.headers, told=True)


def is_open(path: str) -> bool:
    """Whether a request of this path needs no key. The page has some files beside the folders: icons, its manifest."""
    return path in OPEN or path.startswith(BELOW) or path in current_app.extensions["page_files"]


def doorkeeper() -> Doorkeeper:
    """The doorkeeper of the app that handles this request."""
    found: Doorkeeper = current_app.extensions["doorkeeper"]
    return found


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
