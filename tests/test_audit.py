"""`tests.audit`: pip-audit and npm themselves ask an advisory service of ours about packages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.audit import npm_audit, pip_audit
from tests.programs import need

HOLE = {
    "id": 1,
    "title": "reads what it should not",
    "url": "https://example.org/GHSA-1",
    "severity": "high",
    "vulnerable_versions": ">=0.0.0",
}


@pytest.fixture
def service() -> Iterator[tuple[str, dict[str, Any]]]:
    """The address of an advisory service, and what it answers, by path."""
    answers: dict[str, Any] = {}

    class Advisories(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            advisories = answers.get("advisories")
            self._answer(advisories(json.loads(asked)) if callable(advisories) else advisories)

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
    need("npm")
    url, answers = service
    answers["advisories"] = advisories

    assert npm_audit("--registry", url, "--fetch-retries", "0") == code
    assert words in capsys.readouterr().out


def known_by(holes: dict[str, list[dict[str, Any]]]) -> Any:
    """What an OSV service answers about a package: an empty object where it knows of no hole."""
    return lambda asked: {"vulns": holes[asked["package"]["name"]]} if asked["package"]["name"] in holes else {}


def osv(name: str, fixed: str | None) -> dict[str, Any]:
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    affected = {"package": {"name": name, "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    return {"id": "PYSEC-2026-1", "summary": "reads what it should not", "affected": [affected]}


@pytest.fixture
def installed(tmp_path: Path) -> str:
    """A folder of two installed packages, as pip-audit reads it, and of one whose version nobody can look up."""
    for name, version in (("alpha", "1.0"), ("beta", "2.5"), ("odd", "not-a-version")):
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("advisories", "code", "words"),
    [
        (known_by({}), 0, "pip-audit: 2 packages looked up, 0 known holes"),
        (known_by({"beta": [osv("beta", "2.6")]}), 1, "pip-audit: beta 2.5: PYSEC-2026-1, fixed in 2.6"),
        (known_by({"beta": [osv("beta", None)]}), 1, "beta 2.5: PYSEC-2026-1, fixed in no version yet"),
        (known_by({"beta": [osv("beta", "2.6")]}), 1, "pip-audit: 2 packages looked up, 1 known holes"),
        (known_by({}), 0, "of 1 of 3 packages the advisory service here knows nothing: not looked up"),
        (None, 0, "NOTHING was looked up"),
    ],
)
@pytest.mark.long
def test_a_hole_of_a_python_package_is_told_and_silence_is_no_good_news(
    service: tuple[str, dict[str, Any]],
    installed: str,
    capsys: pytest.CaptureFixture[str],
    advisories: Any,
    code: int,
    words: str,
) -> None:
    url, answers = service
    answers["advisories"] = advisories

    found = pip_audit("--vulnerability-service", "osv", "--osv-url", url, "--path", installed)

    assert words in capsys.readouterr().out
    assert found == code


def test_a_service_that_is_not_there_is_no_good_news(installed: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--vulnerability-service", "osv", "--osv-url", "http://127.0.0.1:9/", "--path", installed)

    assert pip_audit(*options) == 0
    assert "NOTHING was looked up" in capsys.readouterr().out
