"""A service that answers as each test says, and both clients of it."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from stemsvc_client import AsyncClient, Client, Retry

HURRIED = Retry(patience=5.0, base=0.01, cap=0.02)


@dataclass
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def call(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Reply:
    """An answer. After `cut` bytes of the body the connection breaks, without `status` at once."""

    status: int = 200
    json: Any = None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


class World:
    """A server whose answers are scripted: by call, each list in order, its last answer for ever."""

    def __init__(self) -> None:
        self.script: dict[str, list[Reply | Callable[[Asked], Reply]]] = {}
        self.asked: list[Asked] = []
        world = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = Asked(
                    self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body
                )
                world.asked.append(asked)
                world._answer(self, world._next(asked))

            do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - http.server asks for these names

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def on(self, call: str, *replies: Reply | Callable[[Asked], Reply]) -> None:
        """Answer these calls (`GET /v1/jobs/x`) like this."""
        self.script[call] = list(replies)

    def calls(self, call: str) -> list[Asked]:
        """The requests of that kind that came."""
        return [each for each in self.asked if each.call.partition("?")[0] == call]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _next(self, asked: Asked) -> Reply:
        replies = self.script.get(asked.call.partition("?")[0])
        if not replies:
            return Reply(404, {"code": "not_found", "detail": asked.call})
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        return reply(asked) if callable(reply) else reply

    @staticmethod
    def _answer(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        body = json.dumps(reply.json).encode() if reply.json is not None else reply.body
        if not reply.status:
            handler.close_connection = True
            return
        handler.send_response(reply.status)
        for name, value in {"Content-Length": str(len(body)), **reply.headers}.items():
            if value:
                handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body if reply.cut is None else body[: reply.cut])
        handler.close_connection = reply.cut is not None


DROPPED = Reply(0)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


Call = Callable[..., Any]


@pytest.fixture(params=["blocking", "asyncio"])
def call(request: pytest.FixtureRequest, world: World) -> Call:
    """Call a method of one of the clients by its name; what it iterates over comes as a list."""

    def blocking(name: str, /, *args: Any, **kwargs: Any) -> Any:
        with Client(world.url, kwargs.pop("key", None), retry=kwargs.pop("patience", HURRIED), timeout=5) as client:
            result = getattr(client, name)(*args, **kwargs)
            return list(result) if inspect.isgenerator(result) else result

    def asynchronous(name: str, /, *args: Any, **kwargs: Any) -> Any:
        async def run() -> Any:
            retry = kwargs.pop("patience", HURRIED)
            async with AsyncClient(world.url, kwargs.pop("key", None), retry=retry, timeout=5) as client:
                result = getattr(client, name)(*args, **kwargs)
                return [each async for each in result] if inspect.isasyncgen(result) else await result

        return asyncio.run(run())

    return blocking if request.param == "blocking" else asynchronous


def job(state: str = "queued", **more: Any) -> dict[str, Any]:
    """A job's body."""
    return {"id": "j1", "state": state, "progress": {"stage": state, "fraction": 0.0}, "files": {}, **more}
