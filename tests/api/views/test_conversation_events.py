"""Following a conversation over real connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from api.edge import auth
from stemsvc.control.services import Services
from tests.api.views.test_conversations import BEAT, begun, call, do, say
from tests.api.views.test_events import parsed
from tests.api.views.test_keys import make


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "KEEP_SECONDS", -1.0)


@contextmanager
def followed(url: str, id: str, last: str = "", headers: dict[str, str] | None = None) -> Iterator[Iterator[Any]]:
    own = {**(headers or {}), **({"Last-Event-ID": last} if last else {})}
    with httpx.stream("GET", f"{url}/v1/conversations/{id}/events", headers=own, timeout=60) as response:
        assert response.status_code == 200, response.read()
        yield (each for each in parsed(response.iter_lines()) if each["event"] != "comment")


def until(events: Iterator[Any], seen: list[Any], event: str, **facts: Any) -> Any:
    for each in events:
        seen.append(each)
        if each["event"] == event and all(each["data"].get(name) == value for name, value in facts.items()):
            return each["data"]
    raise AssertionError((event, facts, seen))


def test_plans_results_and_versions_come_by_one_stream_which_can_be_resumed(
    client: Any, parts: Services, url: str
) -> None:
    id = begun(client)
    seen: list[Any] = []
    with followed(url, id) as events:
        until(events, seen, "conversation", version=None)
        say(client, id, BEAT)
        card = until(events, seen, "message", kind="plan")
        assert card["state"] == "open"
        made = call(client, id, "confirm").json["reply"]["workflow_id"]
        until(events, seen, "message", kind="plan", state="confirmed")
        assert until(events, seen, "conversation", version=1)["versions"][0]["workflow_id"] == made
        until(events, seen, "workflow", workflow_id=made, state="running")
        do(parts, made)
        until(events, seen, "workflow", workflow_id=made, state="succeeded")

    kept = [(each["id"], each["data"]["number"]) for each in seen if each["event"] == "message"]
    assert [number for _, number in kept] == [1, 2, 2, 3, 4]  # the card again, when it was confirmed
    for place, (last, _) in enumerate(kept):  # wherever it broke, what came after it comes, and how it stands
        again: list[Any] = []
        with followed(url, id, last) as events:
            until(events, again, "workflow", workflow_id=made, state="succeeded")
        numbers = [each["data"]["number"] for each in again if each["event"] == "message"]
        # a card stands in the stream where it was changed last
        assert numbers == [number for later, number in kept[place + 1 :] if later != kept[1][0]]
    after = client.get(f"/v1/conversations/{id}").json["last_event_id"]
    with httpx.stream("GET", f"{url}/v1/conversations/{id}/events?after={after}", timeout=60) as response:
        first = next(each for each in parsed(response.iter_lines()) if each["event"] != "comment")
    assert first["event"] == "conversation"


def test_progress_comes_while_a_job_works(client: Any, parts: Services, url: str) -> None:
    id = begun(client, auto_run=True)
    made = say(client, id, BEAT)["reply"]["workflow_id"]
    (job,) = parts.store.workflows.jobs(made)
    with followed(url, id) as events:
        until(events, [], "workflow", state="running")
        taken = parts.store.leases.take(job.id, "worker", 60)
        assert taken is not None
        parts.store.leases.heartbeat(taken[1], 60, 0.5, "composing")
        told = until(events, [], "progress", fraction=0.5)
    assert (told["workflow_id"], told["job_id"], told["step"]) == (made, job.id, "make")


def test_a_stream_ends_with_its_conversation_and_with_its_key(client: Any, parts: Services, url: str) -> None:
    headers = make(parts)
    for end in ("conversation", "key"):
        id = begun(client, headers)
        with followed(url, id, headers=headers) as events:
            until(events, [], "conversation")
            if end == "conversation":
                client.delete(f"/v1/conversations/{id}", headers=headers)
                assert list(events)[-1] == {"event": "deleted", "data": {"conversation_id": id}}
            else:
                (key,) = parts.store.keys.all()
                parts.store.keys.revoke(key.id)
                assert list(events) == []
