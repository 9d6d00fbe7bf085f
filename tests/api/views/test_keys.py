"""Keys: who needs one, what it may do, and that nobody sees another's jobs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from api.app import create_app
from api.edge import auth
from stemsvc.accounts.keys import DEFAULT_SCOPES, Scope, new_key
from stemsvc.control.services import Services
from stemsvc.jobs.record import Priority
from stemsvc.jobstore.tables import api_keys
from stemsvc.settings import Settings
from tests.api.views.test_jobs import song


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "KEEP_SECONDS", -1.0)


def make(parts: Services, *scopes: Scope, highest: Priority = Priority.NORMAL) -> dict[str, str]:
    """The header of a new key."""
    key, token = new_key("test", frozenset(scopes or DEFAULT_SCOPES))
    parts.store.keys.add(replace(key, max_priority=highest))
    return {"Authorization": f"Bearer {token}"}


def submit(client: Any, headers: dict[str, str], **fields: Any) -> Any:
    data = {"file": song(), **fields}
    return client.post("/v1/jobs", data=data, content_type="multipart/form-data", headers=headers)


def code(answer: Any) -> tuple[int, str]:
    assert answer.content_type == "application/problem+json"
    return answer.status_code, answer.json["code"]


CALLS = (
    ("GET", "/v1/jobs"),
    ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs/x"),
    ("POST", "/v1/jobs/x/cancel"),
    ("DELETE", "/v1/jobs/x"),
    ("GET", "/v1/models"),
    ("GET", "/nowhere"),
)


def test_without_keys_the_loopback_is_open(client: Any) -> None:
    assert submit(client, {}).status_code == 201
    assert client.get("/v1/jobs").status_code == 200


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_once_there_is_a_key_every_call_needs_one(client: Any, parts: Services, method: str, path: str) -> None:
    make(parts)
    answer = client.open(path, method=method)

    assert code(answer) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert parts.store.recent() == []


@pytest.mark.parametrize("path", ["/healthz/live", "/healthz/ready", "/openapi.json", "/docs/"])
def test_probes_and_the_description_are_open(client: Any, parts: Services, path: str) -> None:
    make(parts)

    assert client.get(path).status_code == 200


def test_where_other_machines_reach_the_api_a_key_is_always_needed(app_settings: Settings) -> None:
    app = create_app(app_settings.model_copy(update={"api_host": "0.0.0.0"}))
    assert code(app.test_client().get("/v1/jobs")) == (401, "unauthorized")
    app.extensions["stemsvc"].close()


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic YTpi",
        "Bearer stemsvc_aaaaaaaaaa_" + "a" * 43,
        "Bearer \u00e9" * 9,
        "Bearer stemsvc_",
        "Bearer " + "a" * 5000,
        "bearer stemsvc_../../x_" + "a" * 43,
    ],
)
def test_what_is_no_key_is_refused_alike(client: Any, parts: Services, header: str) -> None:
    make(parts)

    assert code(client.get("/v1/jobs", headers={"Authorization": header})) == (401, "unauthorized")


def test_another_keys_secret_opens_nothing(client: Any, parts: Services) -> None:
    mine, theirs = make(parts), make(parts)
    mixed = (
        theirs["Authorization"][: len("Bearer stemsvc_") + 10] + mine["Authorization"][len("Bearer stemsvc_") + 10 :]
    )

    assert code(client.get("/v1/jobs", headers={"Authorization": mixed})) == (401, "unauthorized")


def test_a_revoked_key_opens_nothing_and_its_jobs_stay(client: Any, parts: Services) -> None:
    key = make(parts)
    job = submit(client, key).json
    (kept,) = parts.store.keys.all()

    assert parts.store.keys.revoke(kept.id)
    assert not parts.store.keys.revoke(kept.id)

    assert code(client.get("/v1/jobs", headers=key)) == (401, "unauthorized")
    assert parts.store.get(job["id"]) is not None


def test_another_keys_job_is_no_job(client: Any, parts: Services) -> None:
    mine, theirs, admin = make(parts), make(parts), make(parts, Scope.ADMIN)
    job = submit(client, mine).json["id"]

    for method, path in (("GET", ""), ("POST", "/cancel"), ("DELETE", "")):
        answer = client.open(f"/v1/jobs/{job}{path}", method=method, headers=theirs)
        missing = client.open(f"/v1/jobs/{'0' * 32}{path}", method=method, headers=theirs)
        assert code(answer) == code(missing) == (404, "job_not_found")
        assert {**answer.json, "request_id": ""} == {**missing.json, "request_id": ""}
    assert client.get("/v1/jobs", headers=theirs).json["jobs"] == []
    for key in (mine, admin):
        assert client.get(f"/v1/jobs/{job}", headers=key).json["state"] == "queued"
        assert [each["id"] for each in client.get("/v1/jobs", headers=key).json["jobs"]] == [job]


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        (Scope.READ, {"GET"}),
        (Scope.SUBMIT, {"POST", "DELETE"}),
        (Scope.ADMIN, {"GET", "POST", "DELETE"}),
        (Scope.URL_SOURCE, set()),
    ],
)
def test_a_key_does_what_its_scopes_say(client: Any, parts: Services, scope: Scope, allowed: set[str]) -> None:
    owner = make(parts, Scope.ADMIN)
    job = submit(client, owner).json["id"]
    key = make(parts, scope)

    for method, path in (("GET", "/v1/jobs"), ("GET", f"/v1/jobs/{job}"), ("DELETE", f"/v1/jobs/{job}")):
        answer = client.open(path, method=method, headers=key)
        assert (answer.status_code == 403) == (method not in allowed), (method, path)
    assert (submit(client, key).status_code == 201) == ("POST" in allowed)


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/separations"])
@pytest.mark.parametrize(
    ("highest", "asked", "got"),
    [
        (Priority.NORMAL, "high", None),
        (Priority.NORMAL, "normal", "normal"),
        (Priority.NORMAL, "low", "low"),
        (Priority.NORMAL, None, "normal"),
        (Priority.HIGH, "high", "high"),
        (Priority.HIGH, None, "normal"),
        (Priority.LOW, "high", None),
        (Priority.LOW, "normal", None),
        (Priority.LOW, "low", "low"),
        (Priority.LOW, None, "low"),
    ],
)
def test_a_key_sends_jobs_up_to_its_priority(
    client: Any, parts: Services, path: str, highest: Priority, asked: str | None, got: str | None
) -> None:
    fields = {"file": song(), **({"priority": asked} if asked else {})}
    key = make(parts, highest=highest)
    answer = client.post(path, data=fields, content_type="multipart/form-data", headers=key)

    if got is None:
        assert code(answer) == (403, "priority_forbidden")
        assert f"`{highest.word}`" in answer.json["detail"]
        assert parts.store.recent() == []
        assert parts.storage.keys("") == []
    else:
        assert (answer.status_code, answer.json["priority"]) == (201, got)
        assert parts.store.recent()[0].priority == int(Priority[got.upper()])


def test_a_batch_has_no_higher_priority_than_its_key(client: Any, parts: Services) -> None:
    key = make(parts, Scope.SUBMIT, Scope.URL_SOURCE)
    jobs = [{"source": {"url": "http://8.8.8.8/a.mp3"}, "priority": each} for each in ("high", "low")]
    results = client.post("/v1/jobs:batch", json={"jobs": jobs}, headers=key).json["results"]

    assert [each["status"] for each in results] == [403, 201]
    assert results[0]["error"]["code"] == "priority_forbidden"


def test_who_needs_no_key_and_who_is_an_admin_may_send_any_priority(client: Any, parts: Services) -> None:
    assert submit(client, {}, priority="high").json["priority"] == "high"
    assert submit(client, make(parts, Scope.ADMIN), priority="high").json["priority"] == "high"


def test_a_key_of_release_0_2_keeps_its_priorities_until_it_is_narrowed(client: Any, parts: Services) -> None:
    # given the row that release 0.2 writes, which knows no such column
    key, token = new_key("old", frozenset(DEFAULT_SCOPES))
    header = {"Authorization": f"Bearer {token}"}
    row = {"id": key.id, "name": "old", "hash": key.hash, "scopes": ["submit", "read"], "created_at": 1.0}
    engine = sa.create_engine(parts.settings.resolved_database_url)
    with engine.begin() as connection:
        connection.execute(api_keys.insert().values(row))
    engine.dispose()
    again = {**header, "Idempotency-Key": "one"}
    assert submit(client, again, priority="high").status_code == 201

    assert parts.store.keys.allow(key.id, Priority.NORMAL)
    assert code(submit(client, header, priority="high")) == (403, "priority_forbidden")
    assert submit(client, again, priority="high").status_code == 201  # the job that was accepted before


def test_a_request_without_a_priority_stays_the_same_request(client: Any, parts: Services) -> None:
    key, token = new_key("any", frozenset(DEFAULT_SCOPES))
    parts.store.keys.add(key)
    header = {"Authorization": f"Bearer {token}", "Idempotency-Key": "one"}
    first = submit(client, header).json["id"]
    parts.store.keys.allow(key.id, Priority.LOW)

    assert submit(client, header).json["id"] == first


def test_the_same_idempotency_key_of_two_keys_is_two_jobs(client: Any, parts: Services) -> None:
    ids = {submit(client, {**make(parts), "Idempotency-Key": "same"}).json["id"] for _ in range(2)}

    assert len(ids) == 2


def test_the_description_tells_of_keys(client: Any) -> None:
    assert client.get("/openapi.json").json["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
