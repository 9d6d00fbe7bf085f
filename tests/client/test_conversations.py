"""The client's calls about conversations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.client.conftest import DROPPED, Call, Reply, World
from tests.client.test_running import event
from tests.client.test_workflows import NOTHING, STREAM

ONE = "/v1/conversations/c1"


def conversation(**more: Any) -> dict[str, Any]:
    """A conversation's body."""
    return {"id": "c1", "name": "", "auto_run": False, "messages": 0, "versions": [], "plan": None, **more}


def exchange(**reply: Any) -> dict[str, Any]:
    said = {"number": 1, "role": "user", "kind": "text", "text": "hi"}
    return {"message": said, "reply": {"number": 2, "role": "assistant", **reply}, "conversation": conversation(plan=2)}


def test_a_message_whose_answer_is_lost_is_sent_again_as_the_same(world: World, call: Call, tmp_path: Path) -> None:
    song = tmp_path / "song.flac"
    song.write_bytes(b"fLaC")
    world.on("POST /v1/uploads", Reply(201, {"upload_id": "u1", "url": f"{world.url}/put", "headers": {}}))
    world.on("PUT /put", Reply(200))
    world.on("POST /v1/conversations", Reply(201, conversation()))
    card = exchange(kind="plan", state="open", forecast={"steps": [{"step": "make"}], "total_seconds": 3.0})
    world.on(f"POST {ONE}/messages", DROPPED, Reply(201, card))
    world.on(f"POST {ONE}/confirm", DROPPED, Reply(201, exchange(kind="text", version=1, workflow_id="w1")))

    assert call("start_conversation", song=song).id == "c1"
    assert json.loads(world.calls("POST /v1/conversations")[0].body)["source"] == {"upload_id": "u1"}
    said = call("say", "c1", "a trap beat", auto_run=False)
    assert (said.reply.kind, said.reply.state, said.reply.forecast.total_seconds) == ("plan", "open", 3.0)
    assert (said.message.text, said.conversation.plan) == ("hi", 2)
    first, second = world.calls(f"POST {ONE}/messages")
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert json.loads(first.body) == {"text": "a trap beat", "auto_run": False}
    assert call("confirm_plan", "c1", 2).reply.workflow_id == "w1"
    assert json.loads(world.calls(f"POST {ONE}/confirm")[1].body) == {"message": 2}


def test_the_other_calls_are_one_request_each(world: World, call: Call) -> None:
    world.on(f"POST {ONE}/undo", Reply(201, exchange(kind="text", version=1)))
    world.on(f"POST {ONE}/regenerate", Reply(201, exchange(kind="plan")))
    version = {"version": 1, "summary": "trap", "workflow_id": "w1"}
    world.on(f"GET {ONE}", Reply(200, conversation(versions=[version], version=1)))
    world.on("GET /v1/conversations", Reply(200, {"conversations": [conversation()], "next_cursor": None}))
    pages = [{"messages": [{"number": 2 - page}], "next_cursor": cursor} for page, cursor in enumerate(("2", None))]
    world.on(f"GET {ONE}/messages", *(Reply(200, page) for page in pages))
    world.on(f"DELETE {ONE}", DROPPED, Reply(404, {"code": "conversation_not_found", "detail": "gone"}))
    world.on(f"GET {ONE}/events", Reply(200, body=event("message", 1, role="user"), headers=STREAM), NOTHING)

    assert call("undo_version", "c1").reply.version == 1
    assert call("regenerate", "c1").reply.kind == "plan"
    assert call("conversation", "c1").versions[0].workflow_id == "w1"
    assert [each.id for each in call("conversations", q="trap")] == ["c1"]
    assert [each.number for each in call("messages", "c1")] == [2, 1]
    assert [each.data["role"] for each in call("follow_conversation", "c1")] == ["user"]
    assert call("delete_conversation", "c1") is None  # the first try did it
