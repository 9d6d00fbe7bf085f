"""A local server with the Hugging Face hub's protocol, and plain files beside, that fails on demand.

As the hub does: HEAD and GET of `/{repository}/resolve/{revision}/{file}` answer with a redirect to a CDN's address,
with X-Repo-Commit, X-Linked-Size and X-Linked-ETag (the sha256 that Git LFS keeps); small files come directly; what is
missing is a 404 with X-Error-Code. The CDN, and `/plain/{name}`, know ranges.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c0ffee" + "0" * 34
SMALL = 1024  # bytes up to which a file is kept in the repository itself
CHUNK = 16384


@dataclass
class Hub:
    """What is served: {`namespace/repository/file`: bytes}, at COMMIT and `main`; and how bodies go wrong.

    `moods` are taken by the bodies asked for, in order; after the last, all is well. A mood is `reset:N`, `cut:N`
    (bytes until then), `wrong`, `long`, `slow:S` (seconds in all), `stall`, or a status, `429:S` with Retry-After.
    """

    files: dict[str, bytes]
    moods: list[str] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)  # repositories
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, range
    endpoint: str = ""
    released: threading.Event = field(default_factory=threading.Event)  # ends stalls

    def bodies(self) -> int:
        """How often a body was asked for."""
        return sum(method == "GET" and path.startswith(("/cdn/", "/plain/")) for method, path, _ in self.requests)


@contextmanager
def hub(files: dict[str, bytes], *moods: str) -> Iterator[Hub]:
    """Serve until the block ends."""
    served = Hub(files, list(moods))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(served))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    served.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield served
    finally:
        served.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(served: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._route()

        def do_GET(self) -> None:
            self._route()

        def _route(self) -> None:
            served.requests.append((self.command, self.path, self.headers.get("Range", "")))
            first, _, rest = self.path.lstrip("/").partition("/")
            if first == "plain":
                self._body(served.files.get(rest))
            elif first == "api":
                self._listing(rest.partition("?")[0].removeprefix("models/"))
            elif first == "cdn":
                wanted = rest.partition("?")[0]
                self._body(next(data for data in served.files.values() if _sha256(data) == wanted))
            else:
                self._resolve()

        def _resolve(self) -> None:
            repository, _, rest = self.path.lstrip("/").partition("/resolve/")
            revision, _, name = rest.partition("/")
            data = served.files.get(f"{repository}/{name}")
            if repository in served.denied:
                self._answer(403, {"X-Error-Code": "GatedRepo"})
            elif not any(path.startswith(f"{repository}/") for path in served.files):
                self._answer(401, {"X-Error-Code": "RepoNotFound"})
            elif revision not in (COMMIT, "main"):
                self._answer(404, {"X-Error-Code": "RevisionNotFound"})
            elif data is None:
                self._answer(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            elif len(data) <= SMALL:
                etag = f'"{hashlib.sha1(data, usedforsecurity=False).hexdigest()}"'
                self._answer(200, {"X-Repo-Commit": COMMIT, "ETag": etag}, data)
            else:
                location = f"{served.endpoint.replace('127.0.0.1', 'localhost')}/cdn/{_sha256(data)}?X-Amz-Expires=3600"
                linked = {"X-Linked-Size": str(len(data)), "X-Linked-ETag": f'"{_sha256(data)}"'}
                self._answer(302, {"X-Repo-Commit": COMMIT, "Location": location, "ETag": '"other"', **linked})

        def _listing(self, repository: str) -> None:
            files = {path.removeprefix(f"{repository}/"): data for path, data in served.files.items()}
            siblings = [
                {"rfilename": name, "size": len(data), "blobId": "0" * 40, "lfs": _pointer(data)}
                for name, data in files.items()
            ]
            told = {"id": repository, "modelId": repository, "sha": COMMIT, "siblings": siblings}
            self._answer(200, {"Content-Type": "application/json"}, json.dumps(told).encode())

        def _body(self, data: bytes | None) -> None:
            spoilt = served.moods and self.command == "GET"
            mood, _, number = (served.moods.pop(0) if spoilt else "").partition(":")
            if data is None:
                self._answer(404, {})
            elif mood.isdigit():
                self._answer(int(mood), {"Retry-After": number} if number else {})
            elif mood == "wrong":
                self._answer(200, {}, bytes(len(data)))
            elif mood == "long":
                self._answer(200, {}, data + b"more")
            else:
                self._whole(data, mood, float(number or 0))

        def _whole(self, data: bytes, mood: str, number: float) -> None:
            wanted = self.headers.get("Range", "")
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if start >= len(data):
                self._answer(416, {"Content-Range": f"bytes */{len(data)}"})
                return
            part = data[start:]
            length = int(number) if mood == "cut" else len(part)
            head = {"Content-Length": str(length), "Accept-Ranges": "bytes", "ETag": f'"{_sha256(data)}"'}
            if start:
                head["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self._head(206 if start else 200, head)
            if self.command == "HEAD":
                return
            stop = int(number) if mood in ("reset", "stall", "cut") else len(part)
            pause = number / max(1, len(part) // CHUNK) if mood == "slow" else 0.0
            for at in range(0, stop, CHUNK):
                self.wfile.write(part[at : min(at + CHUNK, stop)])
                time.sleep(pause)
            if mood == "stall":
                self.wfile.flush()
                served.released.wait()
            if mood in ("reset", "stall"):
                self.close_connection = True
                self.connection.close()

        def _answer(self, status: int, head: dict[str, str], body: bytes = b"") -> None:
            self._head(status, {**head, "Content-Length": str(len(body))})
            if self.command != "HEAD":
                self.wfile.write(body)

        def _head(self, status: int, head: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in head.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

        def handle(self) -> None:
            try:
                super().handle()
            except (ConnectionError, ValueError):  # the client went away, or we have closed on it
                self.close_connection = True

    return Handler


def _pointer(data: bytes) -> dict[str, object] | None:
    """What Git LFS says of a file; small ones are in the repository itself."""
    return {"sha256": _sha256(data), "size": len(data), "pointerSize": 134} if len(data) > SMALL else None


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
