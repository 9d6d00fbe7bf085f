"""Jobs by JSON: links, uploads that were sent before, several at once."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from stemsvc.accounts.keys import DEFAULT_SCOPES, Scope, new_key
from stemsvc.control.services import Services
from stemsvc.errors import UsageError
from stemsvc.settings import Settings
from stemsvc.storage.local import LocalStorage
from stemsvc.storage.signing import SignedUpload
from tests.api.views.test_jobs import refused, song
from tests.api.views.test_keys import code, make
from tests.sounds import tone, write_sound
from tests.specs import params_of

URL = "https://example.org/song.mp3"


def upload(client: Any, data: bytes = b"music", headers: dict[str, str] | None = None, **fields: Any) -> Any:
    """An upload whose bytes were sent."""
    made = client.post("/v1/uploads", json=fields, headers=headers)
    assert made.status_code == 201, made.json
    assert made.json["method"] == "PUT"
    sent = client.put(made.json["url"], data=data, headers=made.json["headers"])
    assert sent.status_code == 200, sent.json
    return made.json


def by_json(client: Any, headers: dict[str, str] | None = None, **body: Any) -> Any:
    return client.post("/v1/jobs", json=body, headers=headers)


# --- uploads ---------------------------------------------------------------------------------------------------------


def test_an_upload_becomes_a_job(client: Any, parts: Services) -> None:
    made = upload(client, b"la la la", filename="../My\u202esong.flac")
    job = by_json(client, source={"upload_id": made["upload_id"]}, stems=["vocals"], metadata={"a": [1]}).json

    assert (job["state"], job["filename"], job["metadata"]) == ("queued", "Mysong.flac", {"a": [1]})
    kept = parts.store.get(job["id"])
    assert kept is not None
    assert (kept.inputs[0].bytes, params_of(kept).stems) == (8, ("vocals",))
    assert kept.inputs[0].key in parts.storage.keys("jobs/")


def test_an_upload_serves_several_jobs_and_may_be_deleted(client: Any, parts: Services) -> None:
    made = upload(client)
    jobs = [by_json(client, source={"upload_id": made["upload_id"]}).json["id"] for _ in range(2)]
    assert client.delete(f"/v1/uploads/{made['upload_id']}").status_code == 204

    assert code(by_json(client, source={"upload_id": made["upload_id"]})) == (404, "upload_not_found")
    assert parts.storage.keys("uploads/") == []
    assert parts.storage.keys("jobs/") == sorted(f"jobs/{job}/input" for job in jobs)


def test_an_upload_that_was_not_sent_is_no_source(client: Any, parts: Services) -> None:
    made = client.post("/v1/uploads", json={}).json
    assert refused(by_json(client, source={"upload_id": made["upload_id"]}), parts) == (422, "upload_missing")


@pytest.mark.parametrize("upload_id", ["nope", "../../jobs", "", "a" * 32])
def test_an_unknown_upload_is_no_source(client: Any, parts: Services, upload_id: str) -> None:
    assert refused(by_json(client, source={"upload_id": upload_id}), parts) == (404, "upload_not_found")


def test_only_what_was_announced_is_taken(client: Any, parts: Services) -> None:
    made = client.post("/v1/uploads", json={"bytes": 5}).json
    assert code(client.put(made["url"], data=b"four")) == (400, "wrong_length")
    assert code(client.put(made["url"], data=b"x" * 200_000)) == (413, "file_too_large")
    assert parts.storage.keys("uploads/") == []
    assert code(client.post("/v1/uploads", json={"bytes": 10**9})) == (413, "file_too_large")


def test_a_file_may_be_as_large_as_the_limit(client: Any, parts: Services) -> None:
    made = client.post("/v1/uploads", json={}).json
    assert made["max_bytes"] == parts.settings.max_upload_bytes
    # as gunicorn gives it: the stream ends where the body does
    ends = {"wsgi.input_terminated": True}
    for data, status in ((b"x" * made["max_bytes"], 200), (b"x" * (made["max_bytes"] + 1), 413)):
        assert client.put(made["url"], data=data, environ_overrides=ends).status_code == status
    assert list(parts.storage.sizes("uploads/").values()) == [made["max_bytes"]]


def test_half_an_upload_is_none(client: Any, parts: Services) -> None:
    made = client.post("/v1/uploads", json={}).json
    query = {name: value for name, (value,) in parse_qs(urlsplit(made["url"]).query).items()}
    signed = SignedUpload(int(query["expires"]), int(query["max"]), int(query["bytes"]), query["signature"])
    storage = parts.storage
    assert isinstance(storage, LocalStorage)
    with pytest.raises(UsageError) as caught:
        storage.receive(f"uploads/{made['upload_id']}/file", signed, io.BytesIO(b"abc"), 10)
    assert caught.value.code == "upload_incomplete"
    assert storage.keys("") == []


@pytest.mark.parametrize(
    "change",
    [
        ("max=", "max=9"),
        ("bytes=", "bytes=1"),
        ("signature=", "signature=0"),
        ("expires=", "expires=9"),
        ("/file?", "/other?"),
    ],
)
def test_a_url_takes_nothing_else(client: Any, change: tuple[str, str]) -> None:
    made = client.post("/v1/uploads", json={}).json
    assert code(client.put(made["url"].replace(*change), data=b"x"))[1] in ("url_invalid", "url_expired")
    assert code(client.get(made["url"]))[1] == "url_invalid"


def test_uploads_belong_to_their_key(client: Any, parts: Services) -> None:
    mine, other = make(parts), make(parts)
    made = upload(client, headers=mine)
    asked = {"source": {"upload_id": made["upload_id"]}}

    assert code(client.post("/v1/jobs", json=asked, headers=other)) == (404, "upload_not_found")
    assert code(client.delete(f"/v1/uploads/{made['upload_id']}", headers=other)) == (404, "upload_not_found")
    assert client.post("/v1/jobs", json=asked, headers=mine).status_code == 201
    assert code(client.post("/v1/uploads", json={}, headers=make(parts, Scope.READ))) == (403, "forbidden")


def test_open_uploads_are_bounded(client: Any, parts: Services) -> None:
    most = parts.settings.max_uploads_per_key
    for _ in range(most):
        assert client.post("/v1/uploads", json={}).status_code == 201
    answer = client.post("/v1/uploads", json={})
    assert code(answer) == (429, "too_many_uploads")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_deleted_upload_takes_no_bytes(client: Any, parts: Services) -> None:
    made = upload(client)
    client.delete(f"/v1/uploads/{made['upload_id']}")

    assert code(client.put(made["url"], data=b"more")) == (404, "upload_not_found")
    assert parts.storage.keys("") == []


def test_an_expired_upload_takes_no_bytes(client: Any, parts: Services) -> None:
    made = upload(client)
    expire_uploads(parts)

    assert code(client.put(made["url"], data=b"more")) == (404, "upload_not_found")
    assert list(parts.storage.sizes("").values()) == [5]  # until the janitor comes


def expire_uploads(parts: Services) -> None:
    with parts.store.uploads._engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE uploads SET expires_at = {time.time() - 1}")


@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_an_upload_that_goes_while_it_is_sent_leaves_nothing(
    client: Any, parts: Services, app_settings: Settings, how: str
) -> None:
    made = client.post("/v1/uploads", json={}).json

    class Going(io.BytesIO):
        """A body in the middle of which the upload goes."""

        def read(self, size: int | None = -1) -> bytes:
            if parts.store.uploads.find(made["upload_id"]) is None:
                return super().read(size)
            if how == "deleted":
                parts.uploads.erase(made["upload_id"], None)
            else:
                expire_uploads(parts)
            return super().read(1)

    answer = client.put(made["url"], input_stream=Going(b"music"))
    assert code(answer) == (404, "upload_not_found")
    assert [path for path in (app_settings.data_dir / "objects").rglob("*") if path.is_file()] == []


def small_key(parts: Services, **limits: Any) -> dict[str, str]:
    """The header of a new key with these limits."""
    key, token = new_key("small", frozenset({*DEFAULT_SCOPES, Scope.URL_SOURCE}))
    parts.store.keys.add(replace(key, **limits))
    return {"Authorization": f"Bearer {token}"}


def test_what_a_key_stores_is_bounded(client: Any, parts: Services) -> None:
    headers = small_key(parts, max_stored_bytes=100)

    def announce(**fields: Any) -> Any:
        return client.post("/v1/uploads", json=fields, headers=headers)

    def submit(size: int) -> Any:
        form = {"file": (io.BytesIO(b"x" * size), "song.mp3")}
        return client.post("/v1/jobs", data=form, content_type="multipart/form-data", headers=headers)

    # what was announced counts before it is sent
    assert code(announce(bytes=101)) == (413, "file_too_large")
    assert announce(bytes=30).status_code == 201
    first, second = announce().json, announce().json
    assert client.put(first["url"], data=b"x" * 40).status_code == 200
    assert client.put(first["url"], data=b"x" * 50).status_code == 200  # another file in place of the first
    assert code(client.put(second["url"], data=b"x" * 21)) == (429, "key_storage_full")
    assert code(client.put(second["url"], data=b"x" * 101)) == (413, "file_too_large")
    assert code(submit(21)) == (429, "key_storage_full")
    assert code(submit(101)) == (413, "file_too_large")
    assert code(by_json(client, headers, source={"upload_id": first["upload_id"]})) == (429, "key_storage_full")
    answer = announce(bytes=21)
    assert code(answer) == (429, "key_storage_full")
    assert int(answer.headers["Retry-After"]) > 0
    assert parts.storage.sizes("") == {f"uploads/{first['upload_id']}/file": 50}

    assert submit(20).status_code == 201
    assert code(by_json(client, headers, source={"url": URL})) == (429, "key_storage_full")
    client.delete(f"/v1/uploads/{first['upload_id']}", headers=headers)
    assert submit(50).status_code == 201


def test_an_upload_that_is_asked_for_again_is_the_same(client: Any, parts: Services) -> None:
    def announce(key: str, **fields: Any) -> Any:
        return client.post("/v1/uploads", json=fields, headers={"Idempotency-Key": key})

    first = announce("one", filename="song.flac", bytes=5)
    assert client.put(first.json["url"], data=b"12345").status_code == 200

    again, other = announce("one", filename="song.flac", bytes=5), announce("two", filename="song.flac", bytes=5)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json["upload_id"] == first.json["upload_id"] != other.json["upload_id"]
    assert client.put(again.json["url"], data=b"54321").status_code == 200
    assert code(announce("one", filename="song.flac", bytes=6)) == (409, "idempotency_conflict")
    assert code(announce("", filename="song.flac")) == (400, "bad_idempotency_key")


def test_an_upload_that_broke_off_counts_with_what_is_stored(client: Any, parts: Services) -> None:
    headers = small_key(parts, max_stored_bytes=100)
    made = client.post("/v1/uploads", json={}, headers=headers).json

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "the client went away")

    assert client.put(made["url"], input_stream=Broken(bytes(90))).status_code >= 400
    assert client.post("/v1/uploads", json={"bytes": 90}, headers=headers).status_code == 201


def test_uploads_end(client: Any, parts: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    made = upload(client)
    with parts.store.uploads._engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE uploads SET expires_at = {time.time() - 7200}")
    assert code(by_json(client, source={"upload_id": made["upload_id"]})) == (404, "upload_not_found")
    parts.janitor.sweep()
    assert parts.storage.keys("") == []


# --- links -----------------------------------------------------------------------------------------------------------


def test_a_link_becomes_a_job_that_is_fetched_first(client: Any, parts: Services) -> None:
    answer = by_json(client, source={"url": URL}, model="demo")

    assert answer.status_code == 201
    assert (answer.json["pool"], answer.json["source_url"], answer.json["filename"]) == ("fetch", URL, "track")
    kept = parts.store.get(answer.json["id"])
    assert kept is not None
    assert kept.next_pool == "separate.demo.cpu"
    assert parts.storage.keys("") == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1/", "url_refused"),
        ("http://169.254.169.254/", "url_refused"),
        ("file:///etc/passwd", "bad_url"),
        ("http://user:pw@example.org/", "bad_url"),
        ("concat:http://a|http://b", "bad_url"),
    ],
)
def test_links_that_lead_nowhere_good_are_refused_at_once(
    client: Any, parts: Services, url: str, expected: str
) -> None:
    assert refused(by_json(client, source={"url": url}), parts) == (422, expected)
    assert refused(by_json(client, source={"url": URL}, webhook_url=url), parts) == (422, expected)


def test_a_key_needs_the_right_to_links(client: Any, parts: Services) -> None:
    assert code(by_json(client, make(parts), source={"url": URL})) == (403, "forbidden")
    allowed = make(parts, Scope.SUBMIT, Scope.URL_SOURCE)
    assert by_json(client, allowed, source={"url": URL}).status_code == 201


# --- bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "missing_file")),
        ({"source": {}}, (422, "invalid_fields")),
        ({"source": None}, (400, "missing_file")),
        ({"source": {"url": ""}}, (422, "invalid_fields")),
        ({"source": {"url": URL, "upload_id": "x"}}, (422, "invalid_fields")),
        ({"source": {"path": "/etc/passwd"}}, (422, "invalid_fields")),
        ({"source": "x"}, (422, "invalid_fields")),
        ({"file": "x"}, (422, "invalid_fields")),
        ({"source": {"url": 7}}, (422, "invalid_fields")),
        ({"source": {"url": URL}, "stems": 7}, (422, "invalid_fields")),
        ({"source": {"url": URL}, "stems": [7]}, (422, "invalid_fields")),
        ({"source": {"url": URL}, "metadata": [1]}, (422, "invalid_fields")),
        ({"source": {"url": URL}, "surprise": 1}, (422, "invalid_fields")),
        ({"source": {"url": URL}, "sample_rate": 1}, (422, "invalid_fields")),
        ({"source": {"url": URL}, "webhook_events": ["job.exploded"]}, (422, "invalid_fields")),
        ({"source": {"url": URL}, "filename_template": "{stem}\n"}, (422, "bad_template")),
        ([], (422, "invalid_fields")),
        ("x", (422, "invalid_fields")),
        (7, (422, "invalid_fields")),
    ],
)
def test_bodies_that_ask_for_nothing_possible_are_refused(
    client: Any, parts: Services, body: Any, expected: tuple[int, str]
) -> None:
    assert refused(client.post("/v1/jobs", json=body), parts) == expected


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"a=1", "text/plain", 415),
        (b"<a/>", "application/xml", 415),
        (b" " * 2_000_000, "application/json", 413),
        (b'{"source": {"url": "x"}}', "text/plain", 415),
    ],
)
def test_bodies_that_can_not_be_read_are_refused(
    client: Any, parts: Services, body: bytes, kind: str, expected: int
) -> None:
    answer = client.post("/v1/jobs", data=body, content_type=kind)
    assert answer.status_code == expected
    assert answer.content_type == "application/problem+json"
    assert parts.store.recent() == []


def test_a_form_has_a_file_and_no_source(client: Any, parts: Services) -> None:
    form = {"file": song(), "source": '{"url": "https://example.org/"}'}
    answer = client.post("/v1/jobs", data=form, content_type="multipart/form-data")
    assert refused(answer, parts) == (422, "invalid_fields")


def test_webhook_events_are_the_ends_by_default(client: Any) -> None:
    told = by_json(client, source={"url": URL}, webhook_url="https://example.org/hook").json
    assert told["webhook_events"] == ["job.succeeded", "job.failed", "job.canceled"]
    some = by_json(client, source={"url": URL}, webhook_url="https://example.org/hook", webhook_events="job.progress")
    assert some.json["webhook_events"] == ["job.progress"]


# --- batches ---------------------------------------------------------------------------------------------------------


def test_a_batch_answers_each_in_order(client: Any, parts: Services) -> None:
    made = upload(client)
    good, bad = {"source": {"upload_id": made["upload_id"]}}, {"source": {"url": "http://10.0.0.1/"}}
    answer = client.post("/v1/jobs:batch", json={"jobs": [good, bad, {"stems": "x"}, {"source": {"url": URL}, "a": 1}]})

    assert answer.status_code == 200
    results = answer.json["results"]
    assert [each["status"] for each in results] == [201, 422, 400, 422]
    assert results[0]["job"]["state"] == "queued"
    assert [each["error"]["code"] for each in results[1:]] == ["url_refused", "missing_file", "invalid_fields"]
    assert results[3]["error"]["errors"] == {"a": "Unknown field."}
    assert [job.id for job in parts.store.recent()] == [results[0]["job"]["id"]]


@pytest.mark.parametrize("jobs", [[], [{}] * 101, "x", [7], None])
def test_a_batch_has_a_size(client: Any, jobs: Any) -> None:
    assert code(client.post("/v1/jobs:batch", json={"jobs": jobs})) == (422, "invalid_fields")


# --- quotas and usage ------------------------------------------------------------------------------------------------


def test_a_key_has_quotas_of_its_own(client: Any, parts: Services) -> None:
    headers = small_key(parts, max_waiting=2)
    assert [by_json(client, headers, source={"url": URL}).status_code for _ in range(3)] == [201, 201, 429]


def test_minutes_of_a_day_run_out(client: Any, parts: Services, tmp_path: Any) -> None:
    headers = small_key(parts, minutes_per_day=0.05)
    data = write_sound(tmp_path / "song.flac", tone(1.2, 8000), 8000).read_bytes()

    def send() -> Any:
        form = {"file": (io.BytesIO(data), "song.flac")}
        return client.post("/v1/jobs", data=form, content_type="multipart/form-data", headers=headers)

    assert [send().status_code for _ in range(2)] == [201, 201]  # 2.4 of 3 s
    answer = send()
    assert code(answer) == (429, "quota_exceeded")
    assert 86000 < int(answer.headers["Retry-After"]) <= 86400
    for job in parts.store.recent():  # what was canceled was not used
        parts.acceptance.cancel(job.id)
    assert send().status_code == 201


def test_minutes_run_out_by_uploads_too(client: Any, parts: Services, tmp_path: Any) -> None:
    headers = small_key(parts, minutes_per_day=0.05)
    data = write_sound(tmp_path / "song.flac", tone(1.2, 8000), 8000).read_bytes()
    source = {"upload_id": upload(client, data, headers)["upload_id"]}

    assert [by_json(client, headers, source=source).status_code for _ in range(2)] == [201, 201]
    assert code(by_json(client, headers, source=source)) == (429, "quota_exceeded")


def test_a_track_that_is_longer_than_the_minutes_of_a_day_is_refused_for_good(
    client: Any, parts: Services, tmp_path: Any
) -> None:
    headers = small_key(parts, minutes_per_day=0.01)
    data = write_sound(tmp_path / "song.flac", tone(1.2, 8000), 8000).read_bytes()
    form = {"file": (io.BytesIO(data), "song.flac")}
    by_form = client.post("/v1/jobs", data=form, content_type="multipart/form-data", headers=headers)
    by_upload = by_json(client, headers, source={"upload_id": upload(client, data, headers)["upload_id"]})

    for answer in (by_form, by_upload):
        assert code(answer) == (422, "track_exceeds_quota")
        assert "Retry-After" not in answer.headers


def test_usage_is_the_keys_own(client: Any, parts: Services) -> None:
    mine, other, admin = make(parts), make(parts), make(parts, Scope.ADMIN)
    for headers in (mine, mine, other):
        form = {"file": song()}
        client.post("/v1/jobs", data=form, content_type="multipart/form-data", headers=headers)

    def counts(headers: dict[str, str], query: str = "") -> list[int]:
        answer = client.get(f"/v1/usage{query}", headers=headers)
        assert answer.status_code == 200
        return sorted(sum(account["jobs"].values()) for account in answer.json["accounts"])

    assert (counts(mine), counts(other), counts(admin)) == ([2], [1], [1, 2])
    assert counts(admin, "?since=2100-01-01T00:00:00Z") == []
    job = client.get("/v1/jobs", headers=mine).json["jobs"][0]["id"]
    client.delete(f"/v1/jobs/{job}", headers=mine)
    assert counts(mine) == [2]  # what was deleted was used all the same
