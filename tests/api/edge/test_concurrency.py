"""Bodies that come slowly, and places that are few."""

from __future__ import annotations

import io
from typing import Any

import pytest

from api.edge import concurrency
from tests.api.views.test_jobs import song
from tests.api.views.test_keys import code


class Breaking(io.BytesIO):
    """A body that breaks."""

    def __init__(self, error: Exception) -> None:
        super().__init__(b"x" * 1000)
        self._error = error

    def read(self, size: int | None = -1) -> bytes:
        raise self._error

    def readinto(self, buffer: Any) -> int:
        raise self._error


@pytest.mark.parametrize(
    ("error", "expected"),
    [(TimeoutError("silence"), (408, "request_timeout")), (OSError("no chunk"), (400, "bad_request"))],
)
def test_a_body_that_stops_coming_ends_the_request(client: Any, error: Exception, expected: tuple[int, str]) -> None:
    answer = client.post(
        "/v1/jobs", input_stream=Breaking(error), content_type="multipart/form-data; boundary=x", content_length=1000
    )
    assert code(answer) == expected


def test_a_body_must_keep_up_a_pace(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "PATIENCE_SECONDS", -1.0)
    form = {"file": song()}
    assert code(client.post("/v1/jobs", data=form, content_type="multipart/form-data")) == (408, "request_timeout")


def test_every_place_is_given_back(client: Any) -> None:
    found = client.application.extensions["gate"]
    before = found._working._value
    for path in ("/v1/models", "/nowhere", "/v1/jobs/x", "/v1/jobs?limit=x"):
        client.get(path)
    client.post("/v1/jobs", data={"file": song()}, content_type="multipart/form-data")
    client.post("/v1/jobs", data=b"{", content_type="application/json")
    assert found._working._value == before


def test_more_streams_than_places_are_told_to_come_back(client: Any) -> None:
    job = client.post("/v1/jobs", data={"file": song()}, content_type="multipart/form-data").json
    found = client.application.extensions["gate"]
    held = [found.hold_stream() for _ in range(found._waiting._value)] if found._waiting._value < 5000 else []
    assert held
    answer = client.get(f"/v1/jobs/{job['id']}/events")
    assert code(answer) == (503, "too_many_streams")
    assert answer.headers["Retry-After"]
    waited = client.get(f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=5"})
    assert waited.json["state"] == "queued"  # at once
    for each in held:
        each.release()
        each.release()  # once more does nothing
