"""What a client can know before it sends anything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stemsvc.accounts.keys import Scope, new_key
from stemsvc.control.services import Services
from stemsvc.jobs.record import Priority
from stemsvc.kinds.registry import installed
from tests.api.views.test_keys import code, make


def test_the_limits_are_those_that_are_kept(client: Any, parts: Services) -> None:
    told = client.get("/v1/limits").json

    assert told["max_upload_bytes"] == 100_000
    assert told["max_duration_seconds"] == parts.settings.max_duration_seconds
    assert (told["max_stored_bytes"], told["minutes_per_day"]) == (None, None)
    assert (told["url_sources"], told["submits"], told["max_priority"]) == (True, True, "high")
    assert {each["name"]: each["bit_depths"] for each in told["formats"]}["flac"] == ["16", "24"]
    assert (told["kinds"], told["devices"]) == (list(installed()), ["cpu"])
    assert told["models"] == [each["name"] for each in client.get("/v1/models").json["models"]]
    assert [each["name"] for each in client.get("/v1/models").json["models"] if each["default"]] == [
        told["default_model"]
    ]
    assert (told["files_seconds"], told["url_seconds"], told["session_seconds"]) == (604800.0, 3600, 604800)


def test_each_key_learns_its_own(client: Any, parts: Services) -> None:
    key, token = new_key("k", frozenset((Scope.READ,)))
    key = replace(key, max_waiting=3, minutes_per_day=60.0, max_stored_bytes=10**9, max_priority=Priority.LOW)
    parts.store.keys.add(key)
    told = client.get("/v1/limits", headers={"Authorization": f"Bearer {token}"}).json

    assert (told["max_waiting_jobs"], told["minutes_per_day"], told["max_stored_bytes"]) == (3, 60.0, 10**9)
    assert (told["url_sources"], told["submits"], told["max_priority"]) == (False, False, "low")
    assert code(client.get("/v1/limits")) == (401, "unauthorized")


def test_what_is_kept_for_ever_has_no_end(app_with: Any) -> None:
    client = app_with(stems_ttl_seconds=0.0, rows_ttl_seconds=0.0, max_stored_bytes_per_key=7)
    told = client.get("/v1/limits").json
    assert (told["files_seconds"], told["jobs_seconds"], told["max_stored_bytes"]) == (None, None, 7)


def test_who_may_not_read_learns_none(client: Any, parts: Services) -> None:
    assert code(client.get("/v1/limits", headers=make(parts, Scope.SUBMIT))) == (403, "forbidden")
