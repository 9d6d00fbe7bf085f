"""The server over streamable HTTP. A request's own key goes to the api: the server has none that it could lend."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
from mcp.server import ServerRequestContext
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import JSONResponse
from stemsvc_client import StemsvcError

from stemsvc.assistants.server import Assistants
from stemsvc.assistants.service import Service
from stemsvc.observe.loggers import get_logger

log = get_logger()
PATH = "/mcp"
KNOWN_SECONDS = 30.0  # for so long a key that the api knew is let in; the api itself is asked at each call
MOST_KNOWN = 10_000
Scope = MutableMapping[str, Any]
Asgi = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


def key_of(context: ServerRequestContext[Any, Any]) -> str | None:
    """The key of the request's Authorization header; None without one."""
    return _bearer(context.request) if isinstance(context.request, Request) else None


def _bearer(request: Request) -> str | None:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if kind.lower() == "bearer" else None


class Doorkeeper:
    """Lets in whom the api lets in: it asks the api with the request's key before the SDK reads anything."""

    def __init__(self, app: Asgi, url: str) -> None:
        self._app = app
        self._url = url
        self._known: dict[str, float] = {}  # until when, by the key's hash

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and not await self._fits(_bearer(Request(scope))):
            said = {"code": "unauthorized", "detail": "send a key of the service: `Authorization: Bearer ...`"}
            refusal = JSONResponse(said, 401, {"WWW-Authenticate": "Bearer"})
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _fits(self, key: str | None) -> bool:
        name, now = hashlib.sha256(key.encode()).hexdigest() if key else "", time.monotonic()
        if self._known.get(name, 0.0) > now:
            return True
        try:
            async with Service(self._url, key) as service:
                await service.get("/v1/recipes")
        except StemsvcError as error:
            if error.status == 401:
                return False
            log.info("the api did not judge a key", code=error.code)  # each call will say what it lacks
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        if key:  # who comes without one is judged each time: the api may need one from now on
            self._known[name] = now + KNOWN_SECONDS
        return True


def app(url: str, host: str, names: tuple[str, ...] = ()) -> Asgi:
    """The ASGI app for the api at `url`. `names` are further values of `Host` that requests may come with.

    It keeps no session: each request stands alone with its key, so that none can use what another one opened.
    """
    allowed = [f"{name}:*" for name in ("127.0.0.1", "localhost", "[::1]", host, *names)]
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[*allowed, *names, host],
        allowed_origins=[f"{scheme}://{name}" for name in (*allowed, *names) for scheme in ("http", "https")],
    )
    server = Assistants(url, key_of).server()
    inner = server.streamable_http_app(
        streamable_http_path=PATH, stateless_http=True, transport_security=security, host=host
    )
    return Doorkeeper(inner, url)


def serve(url: str, host: str, port: int, names: tuple[str, ...] = ()) -> None:
    """Serve until the process is told to end."""
    uvicorn.run(app(url, host, names), host=host, port=port, log_level="warning")
