"""Following a workflow, alone and among all jobs, over real connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from api.edge import auth
from stemsvc.accounts.keys import Scope
from stemsvc.control.services import Services
from tests.api.views.test_events import parsed
from tests.api.views.test_feed import stream
from tests.api.views.test_keys import code, make
from tests.api.views.test_workflows import done, jobs_of, made


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "KEEP_SECONDS", -1.0)


@contextmanager
def followed(url: str, workflow_id: str, last: str = "") -> Iterator[Iterator[dict[str, Any]]]:
    headers = {"Last-Event-ID": last} if last else {}
    with httpx.stream("GET", f"{url}/v1/workflows/{workflow_id}/events", headers=headers, timeout=60) as response:
        assert response.status_code == 200, response.read()
        yield (each for each in parsed(response.iter_lines()) if each["event"] != "comment")


def moves(seen: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["data"]["step"], each["data"]["to"]) for each in seen if each["event"] == "state"]


def test_a_workflow_is_followed_from_its_beginning_to_its_end(client: Any, parts: Services, url: str) -> None:
    workflow = made(client)
    ids = jobs_of(workflow)
    seen = []
    with followed(url, workflow["id"]) as events:
        seen += [next(events) for _ in range(3)]
        assert (seen[0]["event"], seen[0]["data"]["state"]) == ("workflow", "running")
        assert sorted(moves(seen)) == [("again", "queued"), ("split", "queued")]
        done(parts, ids["split"], "vocals", "drums")
        while ("split", "succeeded") not in moves(seen):
            seen.append(next(events))
        done(parts, ids["again"], code="worker_lost")
        seen += list(events)  # it ends with the workflow

    assert moves(seen)[-1] == ("again", "failed")
    told = [each["data"] for each in seen if each["event"] == "workflow"]
    fractions = [each["progress"]["fraction"] for each in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert (told[-1]["state"], told[-1]["error"]) == (
        "failed",
        {"step": "again", "code": "worker_lost", "detail": "no"},
    )
    assert {each["data"].get("step") for each in seen if each["event"] == "progress"} <= {"split", "again"}
    assert next(each for each in seen[::-1] if "id" in each)["event"] == "state"
    kept = [each["id"] for each in seen if each["event"] == "state"]

    for number, last in enumerate(kept[:-1]):  # wherever it broke, the rest comes, and the end with it
        with followed(url, workflow["id"], last) as events:
            again = list(events)
        assert moves(again) == moves(seen)[number + 1 :]
        assert again[0]["data"]["state"] == "failed"
    path = f"{url}/v1/workflows/{workflow['id']}/events"
    assert httpx.get(path, headers={"Last-Event-ID": kept[-1]}).status_code == 204


def test_one_that_is_deleted_ends_its_stream(client: Any, url: str) -> None:
    workflow = made(client)
    with followed(url, workflow["id"]) as events:
        next(events)
        client.delete(f"/v1/workflows/{workflow['id']}")
        assert list(events)[-1] == {"event": "deleted", "data": {"workflow_id": workflow["id"]}}


def test_workflows_stand_in_the_stream_of_all_jobs(client: Any, parts: Services, url: str) -> None:
    workflow = made(client)
    ids = jobs_of(workflow)
    with stream(url) as events:
        first = next(events)
        assert (first["event"], first["data"]["workflow_id"]) == ("workflow", workflow["id"])
        queued = [next(events) for _ in range(2)]
        assert [each["data"]["workflow_id"] for each in queued] == [workflow["id"]] * 2
        last = queued[-1]["id"]
    done(parts, ids["split"], code="not_audio")

    with stream(url, {"Last-Event-ID": last}) as events:  # who comes back gets the end, and then its entries
        end = next(events)
        assert (end["event"], end["data"]["state"], end["data"]["error"]["step"]) == ("workflow", "failed", "split")
        steps = [next(events)["data"]["step"] for _ in range(3)]
        assert sorted(steps) == ["again", "split", "split"]


def test_nobody_follows_another_key_s_workflow(client: Any, parts: Services) -> None:
    mine, others = make(parts, Scope.SUBMIT, Scope.READ), make(parts, Scope.SUBMIT, Scope.READ)
    place = client.post("/v1/uploads", json={"filename": "a.wav"}, headers=mine).json
    client.put(place["url"], data=b"la")
    body = {"source": {"upload_id": place["upload_id"]}, "steps": [{"id": "split", "do": "separate"}]}
    workflow = client.post("/v1/workflows", json=body, headers=mine).json
    path = f"/v1/workflows/{workflow['id']}/events"
    assert code(client.get(path, headers=others)) == (404, "workflow_not_found")
    assert code(client.get(path, headers={**mine, "Last-Event-ID": "x"})) == (422, "bad_last_event_id")
