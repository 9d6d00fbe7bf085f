"""HEAD and OPTIONS of every route."""

from __future__ import annotations

import re
from typing import Any

from stemsvc.control.services import Services
from tests.api.views.test_keys import submit

UNUSED = "0" * 32


def paths(client: Any, job: str) -> dict[str, set[str]]:
    """Each path of the app with its methods; jobs are this one."""
    found: dict[str, set[str]] = {}
    for rule in client.application.url_map.iter_rules():
        values = {name: job if name == "job_id" else UNUSED for name in rule.arguments}
        path = rule.rule
        for name, value in values.items():
            path = re.sub(rf"<(?:[^<>]*:)?{name}>", value, path)
        found.setdefault(path, set()).update(rule.methods)
    return found


def test_a_head_is_a_get_without_a_body(client: Any) -> None:
    job = submit(client, {}).json["id"]
    for path, methods in paths(client, job).items():
        head = client.head(path)
        assert head.data == b"", path
        if "GET" in methods:
            with client.get(path, buffered=False) if "events" not in path else client.head(path) as answer:
                assert head.status_code == answer.status_code < 500, path
                assert head.content_type == answer.content_type, path
        else:
            assert head.status_code == 405, path
            assert set(head.headers["Allow"].split(", ")) == methods, path


def test_heads_of_event_streams_take_no_place(client: Any) -> None:
    job = submit(client, {}).json["id"]
    waiting = client.application.extensions["gate"]._waiting
    before = waiting._value
    for _ in range(3):
        with client.head(f"/v1/jobs/{job}/events") as answer:
            assert answer.status_code == 200
    assert waiting._value == before


def test_options_tell_the_methods_and_nothing_else(client: Any, parts: Services) -> None:
    job = submit(client, {}).json["id"]
    for path, methods in paths(client, job).items():
        answer = client.options(path, headers={"Host": "evil.example", "Origin": "https://evil.example"})
        assert (answer.status_code, answer.data) == (200, b""), path
        assert set(answer.headers["Allow"].split(", ")) >= methods, path  # a file's route has archives' paths, too
        assert "Access-Control-Allow-Origin" not in answer.headers, path
    assert [each.id for each in parts.store.recent()] == [job]
