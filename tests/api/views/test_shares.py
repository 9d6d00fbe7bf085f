"""A link that shows one job to who has no key, and nothing else."""

from __future__ import annotations

import io
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from pydantic import SecretStr

from stemsvc.control.services import Services
from tests.api.views.test_events import run
from tests.api.views.test_keys import code, make, submit

SECRET = "the band's own words"


@pytest.fixture
def mine(parts: Services) -> dict[str, str]:
    return make(parts)


@pytest.fixture
def job(client: Any, parts: Services, mine: dict[str, str]) -> str:
    """A job with a stem, and with much that is its client's alone."""
    answer = submit(client, mine, metadata=json.dumps({"note": SECRET}), webhook_url="https://hooks.example/secret")
    job_id = str(answer.json["id"])
    lease = run(parts, job_id)
    key = f"{lease.prefix}/vocals.flac"
    size = parts.storage.put(key, io.BytesIO(b"music"), "audio/flac")
    output = {"key": key, "bytes": size, "sha256": "0" * 64, "content_type": "audio/flac", "duration_seconds": 1.0}
    assert parts.store.leases.succeed(lease, {"sample_rate": 44100, "duration_seconds": 1.0}, {"vocals": output})
    return job_id


def share(client: Any, job: str, headers: dict[str, str], **body: Any) -> Any:
    return client.post(f"/v1/jobs/{job}/share", json=body, headers=headers)


def test_who_has_the_link_sees_and_hears_the_job(client: Any, mine: dict[str, str], job: str) -> None:
    answer = share(client, job, mine, seconds=3600)
    assert answer.status_code == 201
    token = answer.json["token"]
    assert answer.json["url"] == f"http://localhost/s/{token}"
    assert answer.headers["Location"] == f"/s/{token}"

    shown = client.get(f"/v1/shared/{token}")
    assert shown.status_code == 200
    assert shown.headers["Cache-Control"] == "no-store"
    assert (shown.json["name"], shown.json["state"], shown.json["model"]) == ("song", "succeeded", "htdemucs")
    assert shown.json["source"]["duration_seconds"] == 1.0
    assert shown.json["expires_at"] == answer.json["expires_at"]
    with client.get(shown.json["files"]["vocals"]["url"]) as stem:
        assert stem.status_code == 200
    with client.get(shown.json["archive"]["url"]) as archive:
        assert archive.status_code == 200


def test_it_tells_nothing_of_the_client_or_the_machine(client: Any, mine: dict[str, str], job: str) -> None:
    shown = client.get(f"/v1/shared/{share(client, job, mine).json['token']}")

    for hidden in (SECRET, "hooks.example", "worker", "separate.", "timeline", "manifest", "metadata"):
        assert hidden not in shown.text, hidden


def test_nothing_else_is_reached_by_it(client: Any, mine: dict[str, str], job: str) -> None:
    token = share(client, job, mine).json["token"]
    other = submit(client, mine).json["id"]

    for path in (f"/v1/jobs/{job}", f"/v1/jobs/{other}", "/v1/jobs", "/v1/events", f"/v1/jobs/{job}/events"):
        for headers in ({}, {"Authorization": f"Bearer {token}"}):
            assert code(client.get(path, headers=headers)) == (401, "unauthorized"), path
        client.set_cookie("stemsvc_session", token)
        assert code(client.get(path)) == (401, "unauthorized"), path
        client.delete_cookie("stemsvc_session")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert client.open(f"/v1/shared/{token}", method=method).status_code == 405
    assert client.get(f"/v1/shared/{token}/events").status_code == 404


def test_the_link_s_files_end_with_the_link(
    client: Any, mine: dict[str, str], job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = share(client, job, mine, seconds=60).json["token"]
    url = client.get(f"/v1/shared/{token}").json["files"]["vocals"]["url"]
    now = time.time()

    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert code(client.get(f"/v1/shared/{token}")) == (403, "url_expired")
    assert code(client.get(url)) == (403, "url_expired")


def test_deleting_the_job_ends_the_link(client: Any, mine: dict[str, str], job: str) -> None:
    token = share(client, job, mine).json["token"]
    assert client.delete(f"/v1/jobs/{job}", headers=mine).status_code == 204

    assert code(client.get(f"/v1/shared/{token}")) == (404, "job_not_found")


def test_a_job_s_own_key_alone_shares_it(client: Any, parts: Services, job: str) -> None:
    assert code(share(client, job, make(parts))) == (404, "job_not_found")
    assert code(share(client, job, {})) == (401, "unauthorized")


def test_a_time_that_is_none_is_refused(client: Any, mine: dict[str, str], job: str) -> None:
    for seconds in (0, -1, 59, 31 * 86400, "60", 1.5):
        assert code(share(client, job, mine, seconds=seconds)) == (422, "invalid_fields"), seconds


def test_a_token_can_not_be_made_or_changed(
    client: Any, parts: Services, app_with: Any, mine: dict[str, str], job: str
) -> None:
    token = share(client, job, mine).json["token"]
    given = urlsafe_b64decode(token)
    later = given[:16] + (int.from_bytes(given[16:21]) + 1).to_bytes(5) + given[21:]
    elsewhere = app_with(storage_secret=SecretStr("another installation's"))

    for each in (
        urlsafe_b64encode(later).decode(),
        urlsafe_b64encode(b"\1" + given[1:]).decode(),
        urlsafe_b64encode(given[:-1]).decode(),
        token[:-1],
        f"{token}=",
        f"{token}AAAA",
        token.lower(),
        "x",
        "%00",
        "é" * 30,
        job,
        parts.signer.archive_url(job, 3600).rpartition("=")[2],
    ):
        assert code(client.get(f"/v1/shared/{each}")) == (403, "url_invalid"), each
    assert code(elsewhere.get(f"/v1/shared/{token}")) == (403, "url_invalid")
