"""The page: which files are served, how, and that nothing else is."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from api.edge.page_policy import PagePolicy
from api.views import pages
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from tests.api.views.test_keys import code, make
from tests.api.views.test_root import BROWSER

HTML = b"<!doctype html><title>stemsvc</title>"
SCRIPT = b"export const answer = 42;" * 50
ASSET = "/assets/index-1a2b3c4d.js"


@pytest.fixture
def dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page as `make web` builds it, beside a file that is none of it."""
    folder = tmp_path / "web" / "dist"
    for path, content in {
        "index.html": HTML,
        ASSET[1:]: SCRIPT,
        "assets/worklet-5e6f7a8b.js": b"registerProcessor();",
        "manifest.webmanifest": b"{}",
        "sw.js": b"self.addEventListener('fetch', () => {});",
        "icons/icon-192.png": b"\x89PNG",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / f"{ASSET[1:]}.gz").write_bytes(gzip.compress(SCRIPT))
    (folder.parent / "secret.txt").write_text("not yours")
    monkeypatch.setattr(pages, "DIST", folder)
    return folder


@pytest.fixture
def client(dist: Path, app_with: Callable[..., Any]) -> Any:
    return app_with()


def test_a_browser_gets_the_page_at_the_root_and_a_program_the_links(client: Any) -> None:
    answer = client.get("/", headers={"Accept": BROWSER})

    assert (answer.status_code, answer.data) == (200, HTML)
    assert answer.content_type == "text/html; charset=utf-8"
    assert answer.vary.find("accept") >= 0
    for accept in ("*/*", "application/json", "text/html;q=0.5,application/json", ""):
        assert client.get("/", headers={"Accept": accept}).json["name"] == "stemsvc", accept
    assert client.get("/", headers={"Accept": "application/json;q=0.5,text/html"}).data == HTML


def test_every_address_of_the_page_is_the_page(client: Any) -> None:
    for path in ("/app/", "/app/jobs", f"/app/jobs/{'0' * 32}", "/app/a.b/c%20d", "/s/token"):
        assert client.get(path).data == HTML, path
        assert client.head(path).headers["Content-Length"] == str(len(HTML))
        assert code(client.post(path)) == (405, "method_not_allowed")
    assert client.get("/app").headers["Location"].endswith("/app/")


def test_nobody_needs_a_key_to_see_the_page_but_for_all_else(client: Any) -> None:
    make(client.application.extensions["stemsvc"])

    for path in ("/app/", "/s/x", ASSET, "/sw.js", "/manifest.webmanifest", "/icons/icon-192.png", "/docs/"):
        assert client.get(path).status_code == 200, path
    for path in ("/v1/jobs", "/v1/events", "/v1/keys", "/v1/limits", "/application", "/sw.jsx", "/v1/session/x"):
        assert code(client.get(path)) == (401, "unauthorized"), path
    for path in (
        "/docsx",
        "/openapi.json/x",
        "/openapi.jsonx",
        "/metricsx",
        "/icons/",
        "/index.html.bak",
        "/v1/sharedx",
    ):
        assert client.get(path).status_code == 401, path


def test_assets_are_kept_for_ever_and_the_page_is_asked_about(client: Any) -> None:
    asset, page = client.get(ASSET), client.get("/app/")

    assert asset.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert asset.content_type == "text/javascript; charset=utf-8"
    for path in ("/app/", "/sw.js", "/manifest.webmanifest", "/icons/icon-192.png"):
        assert client.get(path).headers["Cache-Control"] == "no-cache", path
    assert client.get("/manifest.webmanifest").content_type == "application/manifest+json"
    again = client.get("/app/", headers={"If-None-Match": page.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["Content-Security-Policy"] == page.headers["Content-Security-Policy"]


ENCODINGS = {
    "gzip, deflate, br": True,
    "GZIP": True,
    "*": True,
    "br, gzip;q=0.1": True,
    "": False,
    "br": False,
    "gzip;q=0": False,
    "*;q=0": False,
    "identity, gzip;q=0.5": False,
}


def test_who_can_unpack_gets_it_packed(client: Any) -> None:
    tags: dict[bool, set[str]] = {True: set(), False: set()}
    for accepted, packed in ENCODINGS.items():
        answer = client.get(ASSET, headers={"Accept-Encoding": accepted})
        assert answer.headers.get("Content-Encoding") == ("gzip" if packed else None), accepted
        assert (gzip.decompress(answer.data) if packed else answer.data) == SCRIPT
        assert answer.vary.find("accept-encoding") >= 0
        tags[packed].add(answer.headers["ETag"])
    assert (len(tags[True]), len(tags[False]), len(tags[True] | tags[False])) == (1, 1, 2)
    assert "Content-Encoding" not in client.get("/sw.js", headers={"Accept-Encoding": "gzip"}).headers


NOWHERE = (
    "/assets/none.js",
    "/assets/",
    f"{ASSET}.gz",
    f"{ASSET}/",
    "/assets/../index.html",
    "/assets/../../secret.txt",
    "/assets/%2e%2e/%2e%2e/secret.txt",
    "/assets/..%2f..%2fsecret.txt",
    "/assets/....//....//secret.txt",
    "/assets//etc/passwd",
    "/assets/%00",
    "/assets/..\\..\\secret.txt",
    "/icons/../../secret.txt",
    "/s/",
    "/s/a/b",
)


def test_nothing_but_the_built_files_can_be_had(client: Any) -> None:
    for path in NOWHERE:
        answer = client.get(path, follow_redirects=True)
        assert code(answer) == (404, "not_found"), path
        assert b"not yours" not in answer.data


def test_the_page_may_run_its_own_scripts_and_nothing_else(client: Any) -> None:
    for path in ("/app/", "/s/x", ASSET, "/sw.js"):  # a service worker's own answer says what it may fetch
        headers = client.get(path).headers
        assert headers["Content-Security-Policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
            "media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'; require-trusted-types-for 'script'"
        ), path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "microphone=()" in headers["Permissions-Policy"]
    api = client.get("/v1/jobs").headers
    assert api["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "Cross-Origin-Opener-Policy" not in api


STORED = (
    (
        {"s3_endpoint_url": "http://minio:9000", "s3_public_endpoint_url": "https://files.example:444/x"},
        "https://files.example:444",
    ),
    ({"s3_endpoint_url": "https://account.r2.cloudflarestorage.com"}, "https://account.r2.cloudflarestorage.com"),
    ({"s3_region": "eu-central-1"}, "https://music.s3.amazonaws.com"),  # as boto3 signs
)


def policy(settings: Settings) -> str:
    parts: Any = SimpleNamespace(settings=settings, storage=open_storage(settings))
    return PagePolicy(parts).headers()["Content-Security-Policy"]


def test_the_page_may_read_the_bucket(settings: Settings) -> None:
    bucket = {"storage": "s3", "s3_bucket": "music", "s3_access_key_id": "key", "s3_secret_access_key": SecretStr("s")}
    for changes, origin in STORED:
        told = policy(settings.model_copy(update={**bucket, **changes}))
        for directive in ("connect-src 'self'", "img-src 'self'", "media-src 'self'"):
            assert f"{directive} {origin}" in told
        assert "minio" not in told


def test_the_page_may_read_files_by_the_public_address(settings: Settings) -> None:
    settings.data_dir.mkdir()
    told = policy(settings.model_copy(update={"public_url": "https://stems.example/base"}))
    assert "connect-src 'self' https://stems.example;" in told


def test_without_a_built_page_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app_with: Callable[..., Any]
) -> None:
    monkeypatch.setattr(pages, "DIST", tmp_path / "none")
    client = app_with()

    assert client.get("/", headers={"Accept": BROWSER}).headers["Location"] == "/docs/"
    for path in ("/app/", "/s/x", "/assets/x.js", "/sw.js"):
        assert code(client.get(path)) == (404, "not_found"), path
