"""What browsers are told, which sites may ask, and how often anyone may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from api.app import create_app
from stemsvc.accounts.keys import DEFAULT_SCOPES, new_key
from stemsvc.errors import FatalError, TooManyStreams
from stemsvc.settings import Settings


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/none", "/nowhere", "/openapi.json", "/v1/files/x"])
def test_no_answer_may_be_framed_sniffed_or_run(client: Any, path: str) -> None:
    headers = client.get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert path == "/v1/files/x" or headers["Cache-Control"] == "no-store"


def test_only_named_sites_may_call(app_with: Callable[..., Any]) -> None:
    client = app_with(cors_origins="https://band.example, https://other.example")
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}

    allowed = client.options("/v1/jobs", headers={"Origin": "https://band.example", **asked})
    refused = client.options("/v1/jobs", headers={"Origin": "https://evil.example", **asked})

    assert allowed.headers["Access-Control-Allow-Origin"] == "https://band.example"
    assert "authorization" in allowed.headers["Access-Control-Allow-Headers"].lower()
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert "Access-Control-Allow-Credentials" not in allowed.headers


ASKED = "traceparent, tracestate, range, if-range, if-none-match, idempotency-key, prefer, last-event-id"
READ = {
    "ETag",
    "Content-Disposition",
    "Content-Range",
    "Accept-Ranges",
    "Idempotent-Replayed",
    "Retry-After",
    "Location",
}


def test_a_named_site_sends_and_reads_what_browsers_guard(app_with: Callable[..., Any]) -> None:
    client = app_with(cors_origins="https://band.example")
    headers = {"Origin": "https://band.example", "Access-Control-Request-Method": "GET"}

    allowed = client.options("/v1/files/x", headers={**headers, "Access-Control-Request-Headers": ASKED})
    granted = {each.strip().lower() for each in allowed.headers["Access-Control-Allow-Headers"].split(",")}
    assert set(ASKED.split(", ")) <= granted

    answer = client.get("/v1/jobs", headers={"Origin": "https://band.example"})
    assert set(answer.headers["Access-Control-Expose-Headers"].split(", ")) >= READ


@pytest.mark.parametrize("sites", ["https://band.example", "*"])
@pytest.mark.parametrize("origin", [None, "https://band.example", "https://evil.example"])
def test_every_answer_varies_by_the_site_where_sites_are_named(
    app_with: Callable[..., Any], sites: str, origin: str | None
) -> None:
    client = app_with(cors_origins=sites)
    headers = {"Origin": origin} if origin else {}

    for path in ("/v1/jobs", "/v1/jobs/none", "/nowhere", "/openapi.json", "/v1/files/x", "/", "/healthz/live"):
        for call in (client.get, client.options, client.put):
            answer = call(path, headers=headers)
            assert answer.vary.find("Origin") >= 0, (path, answer.status_code)
            assert answer.headers["Vary"].lower().count("origin") == 1


def test_no_answer_varies_where_no_site_is_named(client: Any) -> None:
    assert "Vary" not in client.get("/v1/jobs", headers={"Origin": "https://a.example"}).headers


def test_what_a_signed_url_leads_to_may_be_shown_by_every_site(client: Any) -> None:
    assert client.get("/v1/files/x").headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert client.get("/v1/jobs").headers["Cross-Origin-Resource-Policy"] == "same-site"


def test_no_site_may_call_where_none_is_named(client: Any) -> None:
    assert "Access-Control-Allow-Origin" not in client.get("/v1/jobs", headers={"Origin": "https://a.example"}).headers


def test_who_calls_too_often_is_told_when_to_come_back(app_with: Callable[..., Any]) -> None:
    client = app_with(rate_limit="3 per minute", broker_url="amqp://nobody")
    answers = [client.get("/v1/jobs") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers[:3]] == ["2", "1", "0"]
    assert answers[0].headers["RateLimit-Limit"] == "3"
    last = answers[3]
    assert (last.content_type, last.json["code"]) == ("application/problem+json", "rate_limited")
    assert 0 < int(last.headers["Retry-After"]) <= 60
    # seconds from now, and only who was refused must wait
    assert all(0 < int(answer.headers["RateLimit-Reset"]) <= 60 for answer in answers)
    assert [answer.headers.get("Retry-After") for answer in answers[:3]] == [None] * 3


def test_who_must_wait_longer_is_told_so(app_with: Callable[..., Any]) -> None:
    client = app_with(rate_limit="100 per hour", broker_url="amqp://nobody")
    client.application.add_url_rule("/v1/full", "full", _full)

    answer = client.get("/v1/full")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert 3500 < int(answer.headers["RateLimit-Reset"]) <= 3600


def _full() -> None:
    raise TooManyStreams("full", retry_after=6.5)


FREE = ["/healthz/live", "/healthz/ready", "/metrics", "/v1/pools", "/v1/pools/separate.demo.cpu", "/openapi.json", "/"]


@pytest.mark.parametrize("path", FREE)
def test_probes_metrics_and_scalers_do_not_count(app_with: Callable[..., Any], path: str) -> None:
    client = app_with(rate_limit="1 per hour", broker_url="amqp://nobody")
    assert client.get("/v1/jobs").status_code == 200

    for _ in range(3):
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        assert not {"Retry-After", "RateLimit-Reset"} & set(answer.headers.keys())
    assert client.get("/v1/jobs").status_code == 429


def test_each_key_has_its_own_count(app_with: Callable[..., Any]) -> None:
    client = app_with(rate_limit="1 per minute", broker_url="amqp://nobody")
    keys = []
    for _ in range(2):
        key, token = new_key("k", frozenset(DEFAULT_SCOPES))
        client.application.extensions["stemsvc"].store.keys.add(key)
        keys.append({"Authorization": f"Bearer {token}"})

    assert [client.get("/v1/jobs", headers=key).status_code for key in (*keys, *keys)] == [200, 200, 429, 429]


def test_processes_count_together_and_each_alone_without_redis(
    app_with: Callable[..., Any], redis_url: str, settings: Settings
) -> None:
    clients = [app_with(rate_limit="2 per minute", broker_url=redis_url) for _ in range(2)]
    assert [client.get("/v1/jobs").status_code for client in (*clients, *clients)] == [200, 200, 429, 429]

    alone = app_with(rate_limit="2 per minute")  # nobody listens where its broker should be
    assert [alone.get("/v1/jobs").status_code for _ in range(3)] == [200, 200, 429]


def test_a_rate_that_is_none_is_named(app_settings: Settings) -> None:
    with pytest.raises(FatalError, match="STEMSVC_RATE_LIMIT") as caught:
        create_app(app_settings.model_copy(update={"rate_limit": "often"}))

    assert caught.value.code == "bad_setting"
