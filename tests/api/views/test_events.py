"""Following a job: server-sent events and `Prefer: wait`, over real connections."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from api.views import events
from stemsvc.control.services import Services
from stemsvc.jobs.record import Lease
from tests.api.views.test_jobs import song
from tests.api.views.test_jobs import submit as post
from tests.api.views.test_keys import code, make
from tests.processes import wait_for


@contextmanager
def stream(url: str, job_id: str, last: int | None = None) -> Iterator[Iterator[dict[str, Any]]]:
    headers = {"Last-Event-ID": str(last)} if last is not None else {}
    with httpx.stream("GET", f"{url}/v1/jobs/{job_id}/events", headers=headers, timeout=30) as response:
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        yield parsed(response.iter_lines())


def parsed(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    event: dict[str, Any] = {}
    for line in lines:
        if line.startswith(":"):
            yield {"event": "comment"}
        elif line:
            name, _, value = line.partition(": ")
            event[name] = json.loads(value) if name == "data" else value
        elif "data" in event:
            yield event
            event = {}


def submitted(client: Any) -> str:
    return str(post(client, file=song()).json["id"])


def run(parts: Services, job_id: str) -> Lease:
    taken = parts.store.leases.take(job_id, "worker", 60)
    assert taken is not None
    return taken[1]


def test_moves_and_progress_come_as_they_happen(client: Any, parts: Services, url: str) -> None:
    job_id = submitted(client)
    with stream(url, job_id) as seen:
        assert next(seen)["data"]["to"] == "queued"
        assert next(seen)["data"]["stage"] == "waiting_for_pool"
        lease = run(parts, job_id)
        moved = next(seen)
        assert (moved["event"], moved["data"]["from"], moved["data"]["to"]) == ("state", "queued", "running")
        assert moved["data"]["attempt"] == 1
        parts.store.leases.heartbeat(lease, 60, 0.5, "separating")
        progress = [next(seen) for _ in range(2)][-1]
        assert (progress["event"], progress["data"]["fraction"]) == ("progress", 0.5)
        parts.store.leases.succeed(lease, {}, {})
        rest = list(seen)
    assert [each["data"].get("to") for each in rest] == ["succeeded", None]
    assert rest[-1]["data"]["fraction"] == 1.0


def test_nothing_is_lost_when_a_client_comes_back(client: Any, parts: Services, url: str) -> None:
    job_id = submitted(client)
    with stream(url, job_id) as seen:
        first = int(next(seen)["id"])
    lease = run(parts, job_id)
    parts.store.leases.fail(lease, "not_audio", "no")

    with stream(url, job_id, last=first) as seen:
        assert [each["data"]["to"] for each in seen if each["event"] == "state"] == ["running", "failed"]


def test_a_client_that_saw_the_end_is_not_called_back(client: Any, parts: Services, url: str) -> None:
    job_id = submitted(client)
    parts.acceptance.cancel(job_id)
    with stream(url, job_id) as seen:
        last = [int(each["id"]) for each in seen if "id" in each][-1]
    answer = httpx.get(f"{url}/v1/jobs/{job_id}/events", headers={"Last-Event-ID": str(last)})
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_quiet_stream_is_kept_open(client: Any, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.2)
    with stream(url, submitted(client)) as seen:
        assert [next(seen)["event"] for _ in range(4)] == ["state", "progress", "comment", "comment"]


def test_a_deleted_job_ends_its_streams(client: Any, parts: Services, url: str) -> None:
    job_id = submitted(client)
    with stream(url, job_id) as seen:
        next(seen)
        parts.store.delete(job_id)
        assert [each["event"] for each in seen] == ["progress"]


def test_places_are_given_back(client: Any, parts: Services, url: str) -> None:
    gate = client.application.extensions["gate"]
    job_id = submitted(client)
    before = gate._waiting._value
    with stream(url, job_id) as seen:
        next(seen)
        assert gate._waiting._value == before - 1
    parts.acceptance.cancel(job_id)
    wait_for("the place", lambda: gate._waiting._value == before)
    wait_for("nobody to follow", lambda: parts.watch.count == 0)


@pytest.mark.parametrize("last", ["x", "-1", "9" * 30, "1.5"])
def test_an_id_that_is_none_is_refused(client: Any, last: str) -> None:
    answer = client.get(f"/v1/jobs/{submitted(client)}/events", headers={"Last-Event-ID": last})
    assert code(answer) == (422, "bad_last_event_id")


def test_strangers_see_no_events(client: Any, parts: Services) -> None:
    mine, other = make(parts), make(parts)
    form = {"file": song()}
    made = client.post("/v1/jobs", data=form, content_type="multipart/form-data", headers=mine).json
    assert code(client.get(f"/v1/jobs/{made['id']}/events", headers=other)) == (404, "job_not_found")
    assert client.get(f"/v1/jobs/{made['id']}/events").status_code == 401


def test_waiting_for_a_job_that_ends(client: Any, parts: Services, url: str) -> None:
    job_id = submitted(client)
    threading.Timer(0.5, lambda: parts.store.leases.succeed(run(parts, job_id), {}, {})).start()
    start = time.monotonic()
    answer = httpx.get(f"{url}/v1/jobs/{job_id}", headers={"Prefer": "respond-async, wait=20"}, timeout=30)

    assert answer.json()["state"] == "succeeded"
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert time.monotonic() - start < 10


def test_waiting_ends_with_the_time(client: Any) -> None:
    answer = client.get(f"/v1/jobs/{submitted(client)}", headers={"Prefer": "wait=1"})
    assert answer.json is not None
    assert answer.json["state"] == "queued"


@pytest.mark.parametrize("prefer", ["wait=", "wait=x", "wait=-1", "return=minimal", "waiting=5", "\x7f"])
def test_other_preferences_are_none_of_ours(client: Any, prefer: str) -> None:
    answer = client.get(f"/v1/jobs/{submitted(client)}", headers={"Prefer": prefer})
    assert answer.status_code == 200
    assert "Preference-Applied" not in answer.headers
