"""`/v1/conversations`: messages, plans, versions; the jobs are done by hand."""

from __future__ import annotations

import hashlib
import io
import threading
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.edge import auth
from stemsvc.accounts.keys import Scope
from stemsvc.control.services import Services
from stemsvc.settings import Settings
from tests.api.views.test_keys import code, make
from tests.api.views.test_sources import upload
from tests.schema import fresh_schema

SHA = hashlib.sha256(b"la la").hexdigest()
BEAT = "Create a trap beat at 140 bpm in C minor"


BOTH = pytest.mark.parametrize("app_settings", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def app_settings(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    settings.data_dir.mkdir()
    postgresql = getattr(request, "param", "") == "postgresql"
    url = str(request.getfixturevalue("postgres_url")) if postgresql else None
    changed = settings.model_copy(update={"database_url": url, "messages_rate_limit": "", "max_upload_bytes": 100_000})
    fresh_schema(changed.resolved_database_url)
    return changed


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "KEEP_SECONDS", -1.0)


def begun(client: Any, headers: dict[str, str] | None = None, **body: Any) -> str:
    answer = client.post("/v1/conversations", json=body, headers=headers or {})
    assert answer.status_code == 201, answer.json
    return str(answer.json["id"])


def call(client: Any, id: str, what: str, headers: dict[str, str] | None = None, **body: Any) -> Any:
    return client.post(f"/v1/conversations/{id}/{what}", json=body or None, headers=headers or {})


def say(client: Any, id: str, text: str, headers: dict[str, str] | None = None, **body: Any) -> dict[str, Any]:
    answer = call(client, id, "messages", headers, text=text, **body)
    assert answer.status_code == 201, answer.json
    found: dict[str, Any] = answer.json
    return found


def do(parts: Services, workflow_id: str) -> None:
    """Workers do what the workflow asks for."""
    for _ in range(9):
        for job in parts.store.workflows.jobs(workflow_id):
            if job.finished or (taken := parts.store.leases.take(job.id, "worker", 60)) is None:
                continue
            outputs = {}
            for name in ("mix", "drums", "bass", "other", "vocals", "master", "score"):
                key = f"{taken[1].prefix}/{name}.flac"
                size = parts.storage.put(key, io.BytesIO(b"la la"), "audio/flac")
                outputs[name] = {"key": key, "bytes": size, "content_type": "audio/flac", "sha256": SHA}
            facts = {"bpm": 140.0, "key": "C minor", "duration": 30.0, "genre": "trap"}
            assert parts.store.leases.succeed(taken[1], {"duration_seconds": 30.0}, outputs, facts=facts)


def workflows(client: Any) -> list[str]:
    return [each["id"] for each in client.get("/v1/workflows").json["workflows"]][::-1]


@BOTH
def test_a_message_becomes_a_plan_which_runs_once_it_is_confirmed(client: Any, parts: Services) -> None:
    id = begun(client)
    told = say(client, id, BEAT)

    assert (told["message"]["role"], told["message"]["number"], told["reply"]["number"]) == ("user", 1, 2)
    card = told["reply"]
    assert (card["kind"], card["state"], card["workflow_id"]) == ("plan", "open", None)
    (step,) = card["plan"]["steps"]
    assert (step["do"], step["with"]["genre"], step["with"]["bpm"]) == ("generate", "trap", 140)
    assert card["forecast"] == client.post("/v1/workflows:plan", json=card["plan"]).json
    assert (told["conversation"]["plan"], told["conversation"]["name"]) == (2, BEAT)
    assert workflows(client) == []

    answer = call(client, id, "confirm", message=2)
    assert answer.status_code == 201, answer.json
    (made,) = workflows(client)
    reply = answer.json["reply"]
    assert (reply["version"], reply["workflow_id"], reply["workflow"]["state"]) == (1, made, "running")
    do(parts, made)
    shown = client.get(f"/v1/conversations/{id}").json
    assert (shown["version"], shown["plan"]) == (1, None)
    assert [each["workflow_id"] for each in shown["versions"]] == [made]
    listed = client.get(f"/v1/conversations/{id}/messages").json["messages"]
    assert [each["number"] for each in listed] == [4, 3, 2, 1]
    assert (listed[2]["state"], listed[2]["workflow"]["state"]) == ("confirmed", "succeeded")


def test_versions_follow_each_other_and_undo_goes_back(client: Any, parts: Services) -> None:
    id = begun(client)
    say(client, id, BEAT)
    first = say(client, id, "yes")["reply"]["workflow_id"]
    do(parts, first)
    faster = say(client, id, "now mute the drums and master it for streaming, then make it a bit faster")["reply"]
    assert faster["kind"] == "plan", faster
    assert {step["do"] for step in faster["plan"]["steps"]} == {"generate", "mix", "master"}
    assert faster["plan"]["steps"][0]["with"]["bpm"] > 140
    second = say(client, id, "do it")["reply"]
    assert second["version"] == 2
    assert second["workflow_id"] != first

    back = call(client, id, "undo").json["reply"]
    assert (back["version"], back["workflow_id"]) == (1, first)
    assert client.get(f"/v1/conversations/{id}").json["version"] == 1
    assert "no earlier version" in call(client, id, "undo").json["reply"]["text"]
    again = say(client, id, "redo")["reply"]
    assert (again["version"], again["workflow_id"]) == (2, second["workflow_id"])
    assert len(workflows(client)) == 2


@BOTH
def test_nothing_runs_twice_when_it_is_sent_twice(client: Any) -> None:
    id = begun(client, auto_run=True)
    key = {"Idempotency-Key": "once"}
    first, second = (call(client, id, "messages", key, text=BEAT) for _ in range(2))

    assert first.json["reply"]["state"] == "confirmed"
    assert second.json["reply"] == first.json["reply"]
    assert (first.headers.get("Idempotent-Replayed"), second.headers["Idempotent-Replayed"]) == (None, "true")
    assert client.get(f"/v1/conversations/{id}").json["messages"] == 2
    assert code(call(client, id, "messages", key, text="something else")) == (409, "idempotency_conflict")
    assert len(workflows(client)) == 1
    confirmed = call(client, id, "confirm", message=2)
    assert (confirmed.status_code, confirmed.json["reply"]["number"]) == (201, 2)
    assert len(workflows(client)) == 1

    card = say(client, id, "a house beat", auto_run=False)["reply"]["number"]
    runs = [call(client, id, "confirm", message=card) for _ in range(3)]
    assert {each.json["reply"]["workflow_id"] for each in runs} == {runs[0].json["reply"]["workflow_id"]}
    assert len(workflows(client)) == 2


def test_a_plan_that_waits_no_more_can_not_be_confirmed(client: Any) -> None:
    id = begun(client)
    assert code(call(client, id, "confirm")) == (409, "plan_not_open")
    old = say(client, id, BEAT)["reply"]["number"]
    new = say(client, id, "make it faster")["reply"]["number"]
    assert code(call(client, id, "confirm", message=old)) == (409, "plan_not_open")
    assert code(call(client, id, "confirm", message=99)) == (404, "message_not_found")
    assert code(call(client, id, "confirm", message=1)) == (409, "plan_not_open")
    say(client, id, "no")
    assert code(call(client, id, "confirm", message=new)) == (409, "plan_not_open")
    states = {each["number"]: each["state"] for each in client.get(f"/v1/conversations/{id}/messages").json["messages"]}
    assert (states[old], states[new]) == ("replaced", "rejected")
    assert workflows(client) == []


def test_what_is_not_understood_is_asked_in_the_clients_language(client: Any) -> None:
    id = begun(client)
    asked = say(client, id, "whatever the weather")["reply"]
    assert (asked["kind"], asked["text"][:7]) == ("question", "I don't")
    assert say(client, id, "Mach die Drums weg")["reply"]["text"].startswith("Welches Lied")
    card = say(client, id, "Mach bitte einen Trap-Beat mit 140")["reply"]
    assert "Soll ich es ausführen?" in card["text"]
    assert "entsteht" in call(client, id, "confirm").json["reply"]["text"]


def test_a_song_that_was_sent_is_spoken_of(client: Any, parts: Services) -> None:
    song = {"upload_id": upload(client)["upload_id"]}
    id = begun(client, source=song)
    card = say(client, id, "which key is it?")["reply"]
    assert (card["kind"], card["plan"]["source"]) == ("plan", song)
    assert [step["do"] for step in card["plan"]["steps"]] == ["analyze"]
    assert call(client, id, "confirm").json["reply"]["workflow"]["state"] == "running"
    gone = call(client, id, "messages", text="split it", source={"upload_id": "0" * 32})
    assert code(gone) == (404, "upload_not_found")
    parts.store.uploads.delete(song["upload_id"])
    other = say(client, id, "how loud is it, in wav")["reply"]
    assert (other["kind"], other["problem"]["code"]) == ("problem", "upload_not_found")


def test_conversations_are_the_owners_only(client: Any, parts: Services) -> None:
    me, you, reader = make(parts), make(parts), make(parts, Scope.READ)
    admin = make(parts, Scope.ADMIN)
    id = begun(client, me, name="mine")
    say(client, id, BEAT, me)

    for path in ("", "/messages", "/events", "/export"):
        for foreign in (you, admin, reader):
            answer = client.get(f"/v1/conversations/{id}{path}", headers=foreign)
            assert code(answer) == (404, "conversation_not_found"), path
    for what in ("confirm", "undo", "regenerate"):
        assert code(call(client, id, what, you)) == (404, "conversation_not_found")
    assert code(call(client, id, "messages", you, text="yes")) == (404, "conversation_not_found")
    assert code(client.delete(f"/v1/conversations/{id}", headers=you)) == (404, "conversation_not_found")
    assert code(client.patch(f"/v1/conversations/{id}", json={"name": "x"}, headers=you))[0] == 404
    assert client.get("/v1/conversations", headers=you).json["conversations"] == []
    assert code(client.post("/v1/conversations", json={}, headers=reader)) == (403, "forbidden")
    assert code(call(client, id, "messages", reader, text="yes")) == (403, "forbidden")
    assert client.get("/v1/conversations", headers=reader).status_code == 200


@BOTH
def test_a_conversation_is_listed_searched_renamed_exported_and_erased(client: Any, parts: Services) -> None:
    id, other = begun(client), begun(client, name="Other")
    say(client, id, BEAT)

    def found(words: str) -> list[str]:
        page = client.get("/v1/conversations", query_string={"q": words}).json
        return [each["id"] for each in page["conversations"]]

    assert found("") == [id, other]
    assert (found("TRAP minor"), found("other"), found("nothing")) == ([id], [other], [])
    changed = client.patch(f"/v1/conversations/{id}", json={"name": "Beats", "auto_run": True}).json
    assert (changed["name"], changed["auto_run"], changed["messages"]) == ("Beats", True, 2)
    whole = client.get(f"/v1/conversations/{id}/export").json
    assert whole["transcript"][0]["text"] == BEAT
    text = client.get(f"/v1/conversations/{id}/export?format=markdown")
    assert text.content_type.startswith("text/markdown")
    assert text.text.startswith("# Beats\n\n**You**")
    assert client.delete(f"/v1/conversations/{id}").status_code == 204
    assert code(client.get(f"/v1/conversations/{id}")) == (404, "conversation_not_found")
    assert parts.store.conversations.all_messages(id) == []


def test_what_it_says_of_its_work_is_true(client: Any, parts: Services) -> None:
    id = begun(client, auto_run=True)
    assert say(client, id, "status")["reply"]["text"] == "There is no version yet."
    made = say(client, id, BEAT)["reply"]["workflow_id"]
    assert say(client, id, "status")["reply"]["text"] == "Version 1 is at work: 0 %."
    assert say(client, id, "stop everything")["reply"]["text"].startswith("Stopped: ")
    assert client.get(f"/v1/workflows/{made}").json["state"] == "canceled"
    assert say(client, id, "stop")["reply"]["text"] == "Nothing is at work."
    assert "version 1 (current): trap, 140 bpm, C minor" in say(client, id, "show me all versions")["reply"]["text"]
    played = say(client, id, "play it")["reply"]
    assert (played["actions"], played["version"], played["workflow_id"]) == (["context.play"], 1, made)
    anew = call(client, id, "regenerate").json["reply"]
    assert anew["plan"]["steps"][0]["with"]["seed"] > 0
    assert anew["workflow_id"] not in (None, made)
    client.delete(f"/v1/workflows/{anew['workflow_id']}")
    assert say(client, id, "status")["reply"]["text"] == "The files of version 2 are gone."
    assert client.get(f"/v1/conversations/{id}/messages").json["messages"][0]["workflow"] is None


@BOTH
def test_messages_at_once_lose_none_and_confirm_once(client: Any, parts: Services) -> None:
    id = begun(client)
    card = say(client, id, BEAT)["reply"]["number"]
    answers: list[int] = []

    def speak(number: int) -> None:
        with client.application.test_client() as own:
            if number % 2:
                answers.append(call(own, id, "confirm", message=card).status_code)
            else:
                answers.append(call(own, id, "messages", text="hello").status_code)

    threads = [threading.Thread(target=speak, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert set(answers) == {201}
    assert len(workflows(client)) == 1
    every = parts.store.conversations.all_messages(id)
    assert [each.number for each in every] == list(range(1, len(every) + 1))
    assert len(every) == 2 + 4 * 2 + 2
    assert [each.role for each in every] == ["user", "assistant"] * (len(every) // 2)


def test_too_many_messages_are_refused(app_settings: Settings) -> None:
    app = create_app(app_settings.model_copy(update={"messages_rate_limit": "3 per minute"}))
    client = FlaskClient(app)
    id = begun(client)
    for _ in range(3):
        say(client, id, "hello")
    answer = call(client, id, "messages", text="hello")
    assert code(answer) == (429, "rate_limited")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert client.get(f"/v1/conversations/{id}").status_code == 200
    app.extensions["stemsvc"].close()


def test_odd_messages_are_the_clients_own_fault(client: Any) -> None:
    id = begun(client)
    for body in (
        {}, {"text": ""}, {"text": " \n"}, {"text": "x" * 1001}, {"text": 7}, {"text": "a\0b"}, {"text": None},
        {"text": "hi", "auto_run": "yes"}, {"text": "hi", "source": {"url": "a", "upload_id": "b"}},
        {"text": "hi", "source": {"file": "x"}}, {"text": "hi", "unknown": 1},
    ):  # fmt: skip
        answer = client.post(f"/v1/conversations/{id}/messages", json=body)
        assert 400 <= answer.status_code < 500, body
        assert answer.content_type == "application/problem+json"
    for text in (
        "\u202e trap",
        "💥" * 500,
        "(" * 1000,
        "a" * 1000,
        "1 " * 500,
        "\t" * 999 + "x",
        "'; DROP TABLE messages; --",
    ):
        assert call(client, id, "messages", text=text).status_code == 201, text[:20]
    for what in ("message=0", "message=-1"):
        assert client.post(f"/v1/conversations/{id}/confirm", json={"message": int(what[8:])}).status_code == 422
    assert code(client.get(f"/v1/conversations/{id}/messages?cursor=x")) == (422, "bad_cursor")
    for odd in ("x", "1", "1.2.3", "9999999999.1", "-1.2"):
        answer = client.get(f"/v1/conversations/{id}/events", headers={"Last-Event-ID": odd})
        assert code(answer)[1] == "bad_last_event_id", odd
