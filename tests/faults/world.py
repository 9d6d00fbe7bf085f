"""What lies outside of the service: a site with tracks to fetch, and a client's receiver of webhooks."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

REFUSED = 5  # one webhook in so many is answered with 503 the first time that it comes


@dataclass(frozen=True)
class Told:
    """A webhook that came: its headers with small letters, its body, when it came in seconds since the epoch."""

    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class World:
    """Serves the files of a folder at `url`, and takes webhooks at `hook`."""

    url: str
    told: list[Told] = field(default_factory=list)  # those that were answered with 204
    refused: set[str] = field(default_factory=set)  # ids of webhooks that were refused once
    came: int = 0

    @property
    def hook(self) -> str:
        return f"{self.url}/hook"

    def take(self, told: Told) -> int:
        """The status to answer with."""
        self.came += 1
        name = told.headers.get("webhook-id", "")
        if self.came % REFUSED == 0 and name not in self.refused:
            self.refused.add(name)
            return 503
        self.told.append(told)
        return 204


@contextlib.contextmanager
def world(folder: Path) -> Iterator[World]:
    """A world on the loopback whose site is `folder`."""
    found: list[World] = []
    guard = threading.Lock()

    class Handler(SimpleHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with guard:
                status = found[0].take(Told(headers, body, time.time()))
            self.send_response(status)
            self.end_headers()

        def handle(self) -> None:
            with contextlib.suppress(OSError):  # whoever asked was killed
                super().handle()

        def log_message(self, *arguments: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    with Server(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, name="world", daemon=True).start()
        found.append(World(f"http://127.0.0.1:{server.server_port}"))
        yield found[0]
        server.shutdown()
