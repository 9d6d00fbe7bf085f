"""`tests.audit`: npm itself asks an advisory service of ours about the page's packages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.audit import npm_audit

HOLE = {
    "id": 1,
    "title": "reads what it should not",
    "url": "https://example.org/GHSA-1",
    "severity": "high",
    "vulnerable_versions": ">=0.0.0",
}
pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="npm comes with node")


@pytest.fixture
def service() -> Iterator[tuple[str, dict[str, Any]]]:
    """The address of an advisory service, and what it answers, by path."""
    answers: dict[str, Any] = {}

    class Advisories(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer(answers.get("advisories"))

        def do_GET(self) -> None:
            self._answer(None)

        def _answer(self, found: Any) -> None:
            body = json.dumps(found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Advisories) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", answers
        server.shutdown()


@pytest.mark.parametrize(
    ("advisories", "code", "words"),
    [
        ({}, 0, "packages looked up, 0 known holes"),
        ({"react": [HOLE]}, 1, "react: high, reads what it should not, in >=0.0.0 (https://example.org/GHSA-1)"),
        (None, 0, "NOTHING was looked up"),
    ],
)
def test_a_hole_of_the_page_s_packages_is_told_and_silence_is_no_good_news(
    service: tuple[str, dict[str, Any]], capsys: pytest.CaptureFixture[str], advisories: Any, code: int, words: str
) -> None:
    url, answers = service
    answers["advisories"] = advisories

    assert npm_audit("--registry", url, "--fetch-retries", "0") == code
    assert words in capsys.readouterr().out
