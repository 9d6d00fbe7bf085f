"""Requests while what observes them fails."""

from __future__ import annotations

import io
import re
import time
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from stemsvc.control.services import Services
from stemsvc.observe import traces
from tests.api.views.test_keys import submit
from tests.observers import BREAKS, broken


@pytest.mark.parametrize("name", [*BREAKS, "all"])
def test_every_answer_is_the_same_whatever_observer_fails(client: Any, parts: Services, name: str) -> None:
    with broken(*(BREAKS if name == "all" else [name])):
        made = submit(client, {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
        assert made.status_code == 201
        job = made.json["id"]
        assert client.get(f"/v1/jobs/{job}").json["state"] == "queued"
        assert client.get("/nowhere").status_code == 404
        assert client.post(f"/v1/jobs/{job}/cancel").status_code == 200
        assert client.get("/healthz/live").status_code == 200
        assert client.delete(f"/v1/jobs/{job}").status_code == 204
    assert parts.store.recent() == []


def measured(client: Any, route: str, method: str = "POST") -> tuple[float, float]:
    """The number of requests of a route, and their seconds."""
    text = client.get("/metrics").text
    found = [
        sum(
            map(
                float,
                re.findall(rf'^stemsvc_http_seconds_{kind}{{method="{method}",route="{route}",.*}} (\S+)$', text, re.M),
            )
        )
        for kind in ("count", "sum")
    ]
    return found[0], found[1]


def test_the_time_that_a_client_asks_to_wait_is_not_ours(client: Any) -> None:
    # given a job that nobody works on, and a client that waits for it
    before = measured(client, "/v1/jobs")
    start = time.monotonic()
    assert submit(client, {"Prefer": "wait=2"}).status_code == 201
    assert time.monotonic() - start > 2

    # then the request counts, and its waiting does not
    after = measured(client, "/v1/jobs")
    assert after[0] - before[0] == 1
    assert after[1] - before[1] < 1.9


def test_the_time_in_which_a_body_arrives_is_not_ours(client: Any) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            time.sleep(2)
            return super().read(size)

    before = measured(client, "/v1/jobs")
    answer = client.post("/v1/jobs", input_stream=Slow(b"{}"), content_type="application/json", content_length=2)
    assert answer.json["code"] == "missing_file"
    after = measured(client, "/v1/jobs")
    assert after[0] - before[0] == 1
    assert after[1] - before[1] < 1.9


def test_an_event_stream_counts_until_it_begins(client: Any) -> None:
    job = submit(client, {}).json["id"]
    route = "/v1/jobs/<string:job_id>/events"
    before = measured(client, route, "GET")
    stream = client.get(f"/v1/jobs/{job}/events")
    next(stream.response)
    time.sleep(2)
    stream.close()
    after = measured(client, route, "GET")
    assert after[0] - before[0] == 1
    assert after[1] - before[1] < 1.9


def test_clients_choose_no_names_of_figures(client: Any) -> None:
    for method in ("FOO", "BAR"):
        client.open("/v1/jobs", method=method)
    text = client.get("/metrics").text

    assert 'method="_OTHER",route="/v1/jobs",status="405"' in text or 'method="_OTHER",route="none"' in text
    assert "FOO" not in text


def spans_of(client: Any, monkeypatch: pytest.MonkeyPatch, method: str, path: str) -> Any:
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(traces, "_provider", None)
    traces.configure_traces("test", "", 1.0, exporter)
    client.open(path, method=method)
    traces.flush()
    return exporter.get_finished_spans()[0]


@pytest.mark.parametrize(
    ("method", "path", "name", "route"),
    [
        ("GET", "/v1/jobs/0f8fad5bd9cb469fa16570867728950e", "GET /v1/jobs/{job_id}", "/v1/jobs/{job_id}"),
        ("GET", "/v1/pools/separate.demo.cpu", "GET /v1/pools/{name}", "/v1/pools/{name}"),
        ("POST", "/v1/pools/x:drain", "POST /v1/pools/{name}:drain", "/v1/pools/{name}:drain"),
        ("GET", "/v1/no-such/secret-of-a-client", "GET", None),
        ("BREW", "/v1/no-such", "HTTP", None),
    ],
)
def test_spans_are_named_as_opentelemetry_has_it(
    client: Any, monkeypatch: pytest.MonkeyPatch, method: str, path: str, name: str, route: str | None
) -> None:
    made = spans_of(client, monkeypatch, method, path)
    assert (made.name, made.attributes.get("http.route")) == (name, route)
    assert made.attributes["http.request.method"] == (method if method != "BREW" else "_OTHER")
    assert made.attributes.get("http.request.method_original") == ("BREW" if method == "BREW" else None)
