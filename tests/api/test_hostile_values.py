"""Values at the edges of what Python, JSON and the databases take, in every place where a client may put one.

Each is answered with the client's own fault and a stable code, and leaves a service that still answers.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.schemas.kinds.registry import forms
from stemsvc.control.services import Services
from stemsvc.errors import TABLE
from stemsvc.kinds import registry
from stemsvc.settings import Settings
from tests.api.views.test_jobs import finish, song, submit
from tests.schema import fresh_schema

BIG = "9" * 5000
TOKENS = {  # in JSON, and the answer to a body that has it anywhere
    BIG: 400,
    "-" + BIG: 400,
    f"{BIG}.5": 400,
    "1e999": 400,
    "NaN": 400,
    "-Infinity": 400,
    "[" * 100 + "]" * 100: 400,
    "[" * 100_000 + "]" * 100_000: 400,
    r'"a\u0000b"': 422,
    r'"\ud800"': 422,
    r'{"a": ["\udfff"]}': 422,
}
FORM = "multipart/form-data; boundary=x"
TEXTS = (BIG, "-1", "1e999", "nan", "\0", "a\0b", "\ud800", "١٢", "0001-01-01T00:00:00+14:00", "9" * 400)
MOMENTS = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01", f"{BIG}-01-01T00:00:00Z")
HUGE_DATE = "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"


@pytest.fixture(params=["sqlite", "postgresql"])
def app_settings(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    settings.data_dir.mkdir()
    url = str(request.getfixturevalue("postgres_url")) if request.param == "postgresql" else None
    changed = settings.model_copy(update={"database_url": url} if url else {})
    fresh_schema(changed.resolved_database_url)
    return changed


@pytest.fixture
def client(app_settings: Settings) -> Iterator[FlaskClient]:
    app = create_app(app_settings)
    with app.test_client() as client:
        yield client
        listed = client.get("/v1/jobs?model=demo")
        assert listed.status_code == 200, listed.text  # no row that was written breaks a list
    app.extensions["stemsvc"].close()


def assert_refused(answer: Any, what: object) -> None:
    words = (what, answer.status_code, answer.text[:300])
    assert 400 <= answer.status_code < 500, words
    assert answer.content_type == "application/problem+json", words
    assert answer.json["code"] in TABLE, words


def post(client: FlaskClient, path: str, text: str) -> Any:
    return client.post(path, data=text.encode(), content_type="application/json")


def test_no_json_body_is_too_much(client: FlaskClient) -> None:
    for token, status in TOKENS.items():
        upload = post(client, "/v1/uploads", f'{{"bytes": {token}}}')
        assert upload.status_code == status, token[:40]
        for field in ("metadata", "seed", "overlap", "model", "unknown", "source"):
            body = f'{{"source": {{"upload_id": "x"}}, "{field}": {token}}}'
            for path in ("/v1/jobs", *(f"/v1/{form.path}" for form in forms().values())):
                answer = post(client, path, body)
                assert_refused(answer, (path, field, token[:40]))
                assert answer.status_code == status, (path, field, token[:40])
        for body in (
            token,
            f"[{token}]",
            f"{{{token if token.startswith(chr(34)) else chr(34) + 'a' + chr(34)}: {token}}}",
        ):
            for path in ("/v1/jobs", "/v1/jobs:batch", "/v1/uploads"):
                assert_refused(post(client, path, body), (path, body[:40]))


def test_no_value_is_too_much_for_a_conversation(client: FlaskClient) -> None:
    id = client.post("/v1/conversations", json={}).get_json()["id"]
    own = f"/v1/conversations/{id}"
    for token, status in TOKENS.items():
        for path, field in (
            ("/v1/conversations", "name"), ("/v1/conversations", "source"), ("/v1/conversations", "auto_run"),
            (f"{own}/messages", "text"), (f"{own}/messages", "auto_run"), (f"{own}/confirm", "message"),
        ):  # fmt: skip
            said = '"text": "hi", ' if field == "auto_run" and "messages" in path else ""
            answer = post(client, path, f'{{{said}"{field}": {token}}}')
            assert_refused(answer, (path, field, token[:40]))
            assert answer.status_code == status, (path, field, token[:40])
    for text in TEXTS:
        quoted = quote(text.encode(errors="surrogatepass"))
        for query in ("q", "limit", "cursor"):
            assert client.get(f"/v1/conversations?{query}={quoted}").status_code < 500, (query, text[:40])
        assert client.get(f"{own}/messages?limit={quoted}").status_code < 500, text[:40]
        assert_refused(client.get(f"{own}/messages?cursor={quoted}"), text[:40])
        assert_refused(client.get(f"{own}/events?after={quoted}"), text[:40])
        assert_refused(client.get(f"/v1/conversations/{quoted}"), text[:40])


def test_one_body_of_a_batch_refuses_no_other(client: FlaskClient) -> None:
    for token, status in TOKENS.items():
        for body in (f'{{"source": {{"url": {token}}}}}', f'{{"source": {{"upload_id": "x"}}, "model": {token}}}'):
            good = json.dumps({"source": {"url": "https://example.org/a.mp3"}, "cache": False})
            answer = post(client, "/v1/jobs:batch", f'{{"jobs": [{body}, {good}]}}')
            if status == 400:  # the body as a whole can't be read
                assert_refused(answer, token[:40])
            else:
                assert [each["status"] for each in answer.json["results"]] == [422, 201], token
                assert answer.json["results"][0]["error"]["code"] == "invalid_fields"


def test_a_file_name_is_cleaned_and_not_refused(client: FlaskClient) -> None:
    for name in ("a\0b.mp3", "\ud800.mp3", "\udce9"):
        assert client.post("/v1/uploads", json={"filename": name}).status_code == 201


def test_no_form_field_is_too_much(client: FlaskClient) -> None:
    """Of no kind: each field of its form, in a body whose `file` is a file, and the field `file` itself as text."""
    taking = {form.path: form for name, form in forms().items() if not registry.get(name).sourceless}
    for path, form in {"jobs": forms()["separate"], **taking}.items():
        for field in [each.data_key or name for name, each in form().fields.items()]:
            for text in TEXTS:
                answer = client.post(f"/v1/{path}", data=form_body(field, text), content_type=FORM)
                if answer.status_code != 201:
                    assert_refused(answer, (path, field, text[:40]))


def form_body(field: str, text: str) -> bytes:
    part = b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
    file = part % (b"file", b'; filename="a"', b"la")
    return file + part % (field.encode(), b"", text.encode(errors="surrogatepass")) + b"--x--\r\n"


@pytest.mark.parametrize("kind", ["multipart/form-data", "application/x-www-form-urlencoded"])
def test_a_form_has_so_many_fields_and_no_more(client: FlaskClient, kind: str) -> None:
    many = {f"field{number}": "x" for number in range(500)}
    data = {**many, "file": song()} if kind.startswith("multipart") else many
    answer = client.post("/v1/jobs", data=data, content_type=kind)
    assert (answer.status_code, answer.json["code"]) == (413, "file_too_large")  # type: ignore[index]


def test_no_query_is_too_much(client: FlaskClient) -> None:
    moments = [(path, name) for path, name in (("/v1/usage", "since"), ("/v1/usage", "until"))]
    moments += [("/v1/jobs", "created_after"), ("/v1/jobs", "created_before")]
    others = [("/v1/jobs", name) for name in ("limit", "cursor", "kind", "model", "state", "unknown")]
    for path, name in [*moments, *others]:
        for text in (*TEXTS, *MOMENTS):
            answer = client.get(f"{path}?{name}={quote(text.encode(errors='surrogatepass'))}")
            if answer.status_code != 200:
                assert_refused(answer, (path, name, text[:40]))
    assert client.get("/v1/usage?until=0001-01-01T00:00:00Z").status_code == 200


def test_no_header_is_too_much(client: FlaskClient) -> None:
    parts: Services = client.application.extensions["stemsvc"]
    job_id = submit(client, file=song()).json["id"]
    key = f"jobs/{job_id}/attempt-1/vocals.flac"
    parts.storage.put(key, io.BytesIO(b"la la la"), "audio/flac")
    finish(parts, job_id, {"vocals": {"key": key, "bytes": 8, "sha256": "x"}})
    url = client.get(f"/v1/jobs/{job_id}").json["stems"]["vocals"]["url"]  # type: ignore[index]

    for name in ("If-Modified-Since", "If-Unmodified-Since", "If-Range"):
        for value in (HUGE_DATE, "Mon, 01 Jan 2020 99999999999999999999:00:00 GMT"):
            assert_refused(client.get(url, headers={name: value, "Range": "bytes=0-1"}), (name, value))
        for value in (BIG, "x", "Mon, 01 Jan 2020 00:00:00 GMT"):
            with client.get(url, headers={name: value}) as answer:
                assert answer.status_code < 500
    for value in (f"bytes={BIG}-", f"bytes=-{BIG}", "bytes=0-" + ",0-" * 5000):
        with client.get(url, headers={"Range": value}) as answer:
            assert answer.status_code in (200, 206, 416)
    for headers in (
        {"Last-Event-ID": BIG},
        {"Prefer": f"wait={BIG}"},
        {"Idempotency-Key": "\ud800"},
        {"X-Request-Id": BIG},
    ):
        encoded = {name: value.encode(errors="surrogatepass").decode("latin-1") for name, value in headers.items()}
        for path in ("/v1/jobs", f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}/events"):
            with client.get(path, headers=encoded) as answer:
                assert answer.status_code < 500, (path, headers)


def test_no_path_is_too_much(client: FlaskClient) -> None:
    for text in ("%00", "%ED%A0%80", "a" * 5000, BIG, "%C3%A9" * 100, "%D9%A1" * 40):
        for path in ("/v1/jobs/{}", "/v1/jobs/{}/events", "/v1/uploads/{}", "/v1/pools/{}", "/v1/files/{}"):
            for method in ("GET", "DELETE", "POST"):
                answer = client.open(path.format(text), method=method)
                assert_refused(answer, (method, path, text[:40]))
