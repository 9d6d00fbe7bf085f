"""Secrets, deliveries and tests of webhooks, each key its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from standardwebhooks import Webhook

from stemsvc.accounts.keys import Scope
from stemsvc.control.services import Services
from tests.api.views.test_jobs import song
from tests.api.views.test_keys import code, make

HOOK = "https://example.org/hook"


@dataclass
class Receiver:
    """A client's server. It answers with `status`, and keeps what came."""

    url: str = ""
    status: int = 204
    got: list[tuple[dict[str, str], str]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            found.got.append((dict(self.headers), body))
            self.send_response(found.status)
            self.send_header("Location", found.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found.url = f"http://127.0.0.1:{server.server_port}/hook"
        yield found
        server.shutdown()


def canceled(client: Any, headers: dict[str, str], url: str = HOOK) -> str:
    """A job whose end is delivered; its id."""
    form = {"file": song(), "webhook_url": url}
    job = client.post("/v1/jobs", data=form, content_type="multipart/form-data", headers=headers).json["id"]
    assert client.post(f"/v1/jobs/{job}/cancel", headers=headers).status_code == 200
    return str(job)


# --- secrets


def test_secrets_are_listed_made_and_ended(client: Any, parts: Services) -> None:
    mine = make(parts)
    (first,) = client.get("/v1/webhooks/secrets", headers=mine).json["secrets"]
    assert first["secret"].startswith("whsec_")
    assert first["expires_at"] is None

    made = client.post("/v1/webhooks/secrets", json={"keep_hours": 2}, headers=mine)
    assert (made.status_code, made.json["expires_at"]) == (201, None)
    newest, old = client.get("/v1/webhooks/secrets", headers=mine).json["secrets"]
    assert (newest, old["secret"]) == (made.json, first["secret"])
    assert old["expires_at"] is not None

    ended = [client.delete(f"/v1/webhooks/secrets/{each['id']}", headers=mine) for each in (newest, old, old)]
    assert code(ended[0]) == (409, "secret_in_use")
    assert ended[1].status_code == 204
    assert code(ended[2]) == (404, "secret_not_found")
    assert client.get("/v1/webhooks/secrets", headers=mine).json["secrets"] == [newest]


def test_an_earlier_secret_signs_for_a_day_unless_you_say_otherwise(client: Any, parts: Services) -> None:
    assert client.get("/v1/webhooks/secrets").json["secrets"]
    assert client.post("/v1/webhooks/secrets").status_code == 201
    assert len(client.get("/v1/webhooks/secrets").json["secrets"]) == 2
    assert client.post("/v1/webhooks/secrets", json={"keep_hours": 0}).status_code == 201
    assert len(client.get("/v1/webhooks/secrets").json["secrets"]) == 2  # the second is over at once, the first is not
    assert code(client.post("/v1/webhooks/secrets", json={"keep_hours": -1})) == (422, "invalid_fields")


def test_secrets_are_each_key_s_own(client: Any, parts: Services) -> None:
    mine, other, reader = make(parts), make(parts), make(parts, Scope.READ)
    (secret,) = client.get("/v1/webhooks/secrets", headers=mine).json["secrets"]

    assert client.get("/v1/webhooks/secrets", headers=other).json["secrets"][0]["secret"] != secret["secret"]
    assert code(client.delete(f"/v1/webhooks/secrets/{secret['id']}", headers=other)) == (404, "secret_not_found")
    for call in (client.get, client.post):  # who reads jobs may not sign
        assert code(call("/v1/webhooks/secrets", headers=reader)) == (403, "forbidden")


# --- deliveries


def test_deliveries_are_listed_by_pages_and_shown(client: Any, parts: Services) -> None:
    mine, other, admin = make(parts), make(parts), make(parts, Scope.ADMIN)
    jobs = [canceled(client, mine) for _ in range(3)]
    canceled(client, other)

    first = client.get("/v1/webhooks/deliveries?limit=2", headers=mine).json
    rest = client.get(f"/v1/webhooks/deliveries?cursor={first['next_cursor']}", headers=mine).json
    found = [*first["deliveries"], *rest["deliveries"]]
    assert [each["job_id"] for each in found] == jobs[::-1]
    assert rest["next_cursor"] is None
    assert {(each["type"], each["state"], each["url"]) for each in found} == {("job.canceled", "pending", HOOK)}

    one = f"/v1/webhooks/deliveries/{found[0]['id']}"
    assert client.get(one, headers=mine).json == found[0]
    assert code(client.get(one, headers=other)) == (404, "delivery_not_found")
    assert client.get(one, headers=admin).json == found[0]
    assert len(client.get("/v1/webhooks/deliveries", headers=admin).json["deliveries"]) == 4

    by_job = client.get(f"/v1/webhooks/deliveries?job_id={jobs[1]}", headers=mine).json["deliveries"]
    assert [each["job_id"] for each in by_job] == [jobs[1]]
    assert client.get("/v1/webhooks/deliveries?state=dead", headers=mine).json["deliveries"] == []
    for query in ("cursor=x", "state=lost", "job_id=../x"):
        assert client.get(f"/v1/webhooks/deliveries?{query}", headers=mine).status_code == 422


def test_a_delivery_is_sent_again(client: Any, parts: Services) -> None:
    mine, other, reader = make(parts), make(parts), make(parts, Scope.READ)
    canceled(client, mine)
    (taken,) = parts.store.webhooks.take(1)
    assert parts.store.webhooks.failed(taken, "answered 500", 5.0, final=True)
    (dead,) = client.get("/v1/webhooks/deliveries?state=dead", headers=mine).json["deliveries"]
    assert (dead["detail"], dead["attempt"]) == ("answered 500", 1)

    path = f"/v1/webhooks/deliveries/{dead['id']}/replay"
    assert code(client.post(path, headers=other)) == (404, "delivery_not_found")
    assert code(client.post(path, headers=reader)) == (403, "forbidden")
    assert client.post(path, headers=mine).json["state"] == "pending"
    assert [each.id for each in parts.store.webhooks.take(1)] == [dead["id"]]


# --- tests of a receiver


def test_a_receiver_is_tested_with_a_signed_event(app_with: Any, receiver: Receiver) -> None:
    client = app_with(allowed_networks="127.0.0.0/8")
    outcome = client.post("/v1/webhooks:test", json={"url": receiver.url}).json

    assert (outcome["delivered"], outcome["status"], outcome["detail"]) == (True, 204, "answered 204")
    ((headers, body),) = receiver.got
    (secret,) = client.get("/v1/webhooks/secrets").json["secrets"]
    event = Webhook(secret["secret"]).verify(body, headers)
    assert (event["type"], headers["webhook-id"]) == ("webhook.test", outcome["webhook_id"])
    described = client.get("/openapi.json").json
    schema = described["webhooks"][event["type"]]["post"]["requestBody"]["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": described["components"]}).validate(json.loads(body))


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_receiver_that_refuses_is_told_of(app_with: Any, receiver: Receiver, status: int) -> None:
    receiver.status = status
    outcome = app_with(allowed_networks="127.0.0.0/8").post("/v1/webhooks:test", json={"url": receiver.url}).json

    assert (outcome["delivered"], outcome["status"]) == (False, status)
    assert len(receiver.got) == 1  # no redirect is followed


def test_a_receiver_that_does_not_answer_is_told_of(app_with: Any, receiver: Receiver) -> None:
    outcome = app_with(allowed_networks="127.0.0.0/8").post("/v1/webhooks:test", json={"url": "http://127.0.0.1:9/"})

    assert (outcome.status_code, outcome.json["delivered"], outcome.json["status"]) == (200, False, None)
    assert outcome.json["detail"].startswith("no answer")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://127.0.0.1:9/", "url_refused"),
        ("http://169.254.169.254/latest", "url_refused"),
        ("ftp://example.org/", "bad_url"),
        ("", "invalid_fields"),
    ],
)
def test_a_test_goes_to_public_addresses_only(client: Any, parts: Services, url: str, problem: str) -> None:
    assert code(client.post("/v1/webhooks:test", json={"url": url})) == (422, problem)
    reader = make(parts, Scope.READ)
    assert code(client.post("/v1/webhooks:test", json={"url": HOOK}, headers=reader)) == (403, "forbidden")
