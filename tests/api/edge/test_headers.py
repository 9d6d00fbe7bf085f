"""What browsers are told, which sites may ask, and how often anyone may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from api.app import create_app
from stemsvc.accounts.keys import DEFAULT_SCOPES, new_key
from stemsvc.errors import FatalError
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
    assert client.get("/healthz/live").status_code == 200


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
