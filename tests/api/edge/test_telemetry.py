"""Requests while what observes them fails."""

from __future__ import annotations

from typing import Any

import pytest

from stemsvc.control.services import Services
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


def test_clients_choose_no_names_of_figures(client: Any) -> None:
    for method in ("FOO", "BAR"):
        client.open("/v1/jobs", method=method)
    text = client.get("/metrics").text

    assert 'method="_OTHER",route="/v1/jobs",status="405"' in text or 'method="_OTHER",route="none"' in text
    assert "FOO" not in text
