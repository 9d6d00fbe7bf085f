"""`/v1/keys`: an admin makes, lists and revokes keys."""

from __future__ import annotations

from typing import Any

import pytest

from api.edge import auth
from stemsvc.accounts.keys import Scope
from stemsvc.control.services import Services
from tests.api.views.test_keys import code, make, submit


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "KEEP_SECONDS", -1.0)


def test_a_key_is_made_shown_once_used_and_revoked(client: Any, parts: Services) -> None:
    admin = make(parts, Scope.ADMIN)
    form = {
        "name": " the band ",
        "scopes": ["submit", "read", "url-source"],
        "max_waiting": 5,
        "minutes_per_day": 90.5,
        "max_stored_bytes": 0,
        "max_priority": "low",
        "expires_at": "2999-01-01T00:00:00Z",
    }
    answer = client.post("/v1/keys", json=form, headers=admin)

    assert answer.status_code == 201
    made = answer.json
    key = {"Authorization": f"Bearer {made.pop('key')}"}
    assert answer.headers["Location"] == f"/v1/keys/{made['id']}"
    assert made["created_at"]
    assert {name: made[name] for name in form} == {
        **form,
        "name": "the band",
        "expires_at": "2999-01-01T00:00:00+00:00",
    }
    listed = client.get("/v1/keys", headers=admin)
    assert listed.json["needed"] is True
    assert listed.json["keys"][1] == made
    assert key["Authorization"].split("_", 2)[2] not in listed.text
    assert submit(client, key).json["priority"] == "low"

    assert client.delete(answer.headers["Location"], headers=admin).status_code == 204
    assert code(client.get("/v1/jobs", headers=key)) == (401, "unauthorized")
    assert code(client.delete(answer.headers["Location"], headers=admin)) == (404, "key_not_found")
    assert client.get("/v1/keys", headers=admin).json["keys"][1]["revoked_at"]


def test_only_an_admin_may(client: Any, parts: Services) -> None:
    key = make(parts, Scope.SUBMIT, Scope.READ, Scope.URL_SOURCE)

    for method, path in (("GET", "/v1/keys"), ("POST", "/v1/keys"), ("DELETE", "/v1/keys/abcdefghij")):
        answer = client.open(path, method=method, json={"name": "x"} if method == "POST" else None, headers=key)
        assert code(answer) == (403, "forbidden"), method
    assert len(parts.store.keys.all()) == 1


def test_the_first_key_makes_every_call_need_one_at_once(
    client: Any, parts: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "KEEP_SECONDS", 60.0)
    assert client.get("/v1/jobs").status_code == 200
    made = client.post("/v1/keys", json={"name": "first", "scopes": ["admin"]})

    assert made.status_code == 201
    assert code(client.get("/v1/jobs")) == (401, "unauthorized")
    key = {"Authorization": f"Bearer {made.json['key']}"}
    assert client.get("/v1/keys", headers=key).status_code == 200
    client.delete(made.headers["Location"], headers=key)
    assert code(client.get("/v1/keys", headers=key)) == (401, "unauthorized")


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "invalid_fields"),
    ({"name": ""}, "invalid_fields"),
    ({"name": "   "}, "invalid_fields"),
    ({"name": "x" * 201}, "invalid_fields"),
    ({"name": "a\nb"}, "invalid_fields"),
    ({"name": "a\u202eb"}, "invalid_fields"),
    ({"name": "a\0"}, "invalid_fields"),
    ({"name": 7}, "invalid_fields"),
    ({"name": "x", "scopes": []}, "invalid_fields"),
    ({"name": "x", "scopes": ["root"]}, "invalid_fields"),
    ({"name": "x", "scopes": "admin"}, "invalid_fields"),
    ({"name": "x", "max_waiting": -1}, "invalid_fields"),
    ({"name": "x", "max_waiting": 2**40}, "invalid_fields"),
    ({"name": "x", "max_stored_bytes": 2**60}, "invalid_fields"),
    ({"name": "x", "minutes_per_day": -0.5}, "invalid_fields"),
    ({"name": "x", "max_priority": "highest"}, "invalid_fields"),
    ({"name": "x", "expires_at": "soon"}, "invalid_fields"),
    ({"name": "x", "expires_at": "2001-01-01"}, "bad_options"),
    ({"name": "x", "id": "mine"}, "invalid_fields"),
    ({"name": "x", "key": "stemsvc_aaaaaaaaaa_" + "a" * 43}, "invalid_fields"),
)


def test_a_key_that_can_not_be_is_refused(client: Any, parts: Services) -> None:
    for form, expected in REFUSED:
        assert code(client.post("/v1/keys", json=form)) == (422, expected), form
    assert parts.store.keys.all() == []
    for key_id in ("x", "abcdefghij", "%00", "a" * 500, "é"):
        assert code(client.delete(f"/v1/keys/{key_id}")) == (404, "key_not_found"), key_id
