"""Signing in: a key once, then a cookie, which no other site's page can use."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
import sqlalchemy as sa

from api.edge import auth
from stemsvc.accounts.keys import Key, Scope, new_key, renewed
from stemsvc.control.services import Services
from stemsvc.jobstore.tables import sessions
from tests.api.views.test_jobs import song
from tests.api.views.test_keys import code, make, submit

OURS = {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "KEEP_SECONDS", -1.0)


def made(parts: Services, *scopes: Scope) -> tuple[Key, str]:
    key, token = new_key("the band", frozenset(scopes or (Scope.SUBMIT, Scope.READ)))
    parts.store.keys.add(key)
    return key, token


def sign_in(client: Any, token: str, **headers: str) -> Any:
    return client.post("/v1/session", json={"key": token}, headers={**OURS, **headers})


def cookie(answer: Any) -> str:
    found = re.match(r"(?:__Host-)?stemsvc_session=([\w-]+);", answer.headers["Set-Cookie"])
    assert found is not None
    return found[1]


def test_a_key_is_sent_once_and_the_page_calls_with_a_cookie(client: Any, parts: Services) -> None:
    key, token = made(parts)
    answer = sign_in(client, token)

    assert answer.status_code == 200
    assert answer.json == client.get("/v1/session").json
    assert (answer.json["key_id"], answer.json["key_name"]) == (key.id, "the band")
    assert (answer.json["scopes"], answer.json["max_priority"]) == (["submit", "read"], "normal")
    assert (answer.json["open"], answer.json["signed_in"]) == (False, True)
    attributes = answer.headers["Set-Cookie"].lower().split("; ")
    assert {"httponly", "samesite=strict", "path=/", "max-age=604800"} <= set(attributes)
    assert "secure" not in attributes  # it was called by http
    assert token not in answer.text + answer.headers["Set-Cookie"]
    assert client.get("/v1/jobs").status_code == 200
    assert submit(client, OURS).status_code == 201
    assert client.get("/v1/keys").status_code == 403


def test_by_https_the_cookie_goes_by_https_alone(client: Any, parts: Services) -> None:
    _, token = made(parts)
    headers = {"Origin": "https://localhost", "Sec-Fetch-Site": "same-origin"}

    put = sign_in(client, token, **headers).headers["Set-Cookie"]
    assert put.startswith("__Host-stemsvc_session=")
    assert "Secure" in put
    assert client.get("/v1/session", base_url="https://localhost").json["signed_in"]
    gone = client.delete("/v1/session", base_url="https://localhost", headers=headers)
    assert gone.headers["Set-Cookie"].startswith("__Host-stemsvc_session=;")


def test_who_is_not_signed_in_learns_whether_a_key_is_needed(client: Any, parts: Services) -> None:
    assert client.get("/v1/session").json == {
        "open": True,
        "signed_in": False,
        "key_id": None,
        "key_name": None,
        "scopes": ["submit", "read", "url-source", "admin"],
        "max_priority": "high",
        "expires_at": None,
    }
    header = make(parts)
    told = client.get("/v1/session").json
    assert (told["open"], told["signed_in"], told["scopes"], told["max_priority"]) == (False, False, [], None)
    told = client.get("/v1/session", headers=header).json
    assert (told["signed_in"], told["scopes"], told["expires_at"]) == (True, ["submit", "read"], None)


def test_what_is_no_key_opens_no_session(client: Any, parts: Services) -> None:
    make(parts)
    for sent in ("x", "stemsvc_aaaaaaaaaa_" + "a" * 43, "Bearer x", " "):
        answer = sign_in(client, sent)
        assert code(answer) == (401, "unauthorized"), sent
        assert "Set-Cookie" not in answer.headers
        assert code(client.get("/v1/jobs")) == (401, "unauthorized")


def test_a_body_that_has_no_key_is_refused(client: Any) -> None:
    for body in ({}, {"key": ""}, {"key": 7}, {"key": "x" * 201}, {"key": "x", "more": 1}, {"key": "a\0"}):
        assert code(client.post("/v1/session", json=body, headers=OURS)) == (422, "invalid_fields"), body
    assert client.post("/v1/session", data={"key": "x"}, headers=OURS).status_code == 415


def end_by_revoking(parts: Services, key: Key) -> None:
    parts.store.keys.revoke(key.id)


def end_by_expiry(parts: Services, key: Key) -> None:
    parts.store.keys.expire(key.id, time.time() - 1)


def end_by_another_secret(parts: Services, key: Key) -> None:
    parts.store.keys.renew(renewed(key, time.time() - 1)[0])


def end_by_time(parts: Services, key: Key) -> None:
    _change(parts, sessions.update().values(expires_at=time.time() - 1))


def end_by_restoring(parts: Services, key: Key) -> None:
    _change(parts, sessions.delete())  # the store of another installation


def _change(parts: Services, statement: Any) -> None:
    engine = sa.create_engine(parts.settings.resolved_database_url)
    with engine.begin() as connection:
        connection.execute(statement)
    engine.dispose()


ENDS = (end_by_revoking, end_by_expiry, end_by_another_secret, end_by_time, end_by_restoring)


def test_a_session_ends_with_its_key(client: Any, parts: Services) -> None:
    made(parts)  # another one, so that keys are needed
    for end in ENDS:
        key, token = made(parts)
        sign_in(client, token)
        assert client.get("/v1/jobs").status_code == 200

        end(parts, key)

        assert code(client.get("/v1/jobs")) == (401, "unauthorized"), end
        assert client.get("/v1/session").json["signed_in"] is False


def test_a_rotated_key_keeps_its_session_as_long_as_the_old_secret_works(client: Any, parts: Services) -> None:
    key, token = made(parts)
    sign_in(client, token)
    parts.store.keys.renew(renewed(key, time.time() + 3600)[0])

    assert client.get("/v1/jobs").status_code == 200


def test_signing_out_ends_the_session_for_every_copy_of_the_cookie(client: Any, parts: Services) -> None:
    _, token = made(parts)
    copied = cookie(sign_in(client, token))
    answer = client.delete("/v1/session", headers=OURS)

    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    client.set_cookie("stemsvc_session", copied)
    assert code(client.get("/v1/jobs")) == (401, "unauthorized")
    assert client.delete("/v1/session", headers=OURS).status_code == 204


def test_sessions_outlive_the_process_and_open_every_other_one(client: Any, parts: Services, app_with: Any) -> None:
    _, token = made(parts)
    copied = cookie(sign_in(client, token))
    other = app_with()
    other.set_cookie("stemsvc_session", copied)

    assert other.get("/v1/jobs").status_code == 200
    other.delete("/v1/session", headers=OURS)
    assert code(client.get("/v1/jobs")) == (401, "unauthorized")


OTHERS: tuple[dict[str, str], ...] = (
    {},  # browsers always say where a request comes from
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:9999"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "https://friend.example"},
)


def test_no_other_page_can_use_the_cookie(app_with: Any) -> None:
    client = app_with(cors_origins="https://friend.example")  # may call with a key alone
    parts = client.application.extensions["stemsvc"]
    _, token = made(parts, Scope.ADMIN)
    sign_in(client, token)
    calls: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("POST", "/v1/jobs", {"data": {"x": "y"}}),
        ("POST", "/v1/keys", {"json": {"name": "x"}}),
        ("DELETE", f"/v1/jobs/{'0' * 32}", {}),
        ("DELETE", "/v1/session", {}),
        ("POST", "/v1/session", {"json": {"key": token}}),
    )

    for headers in OTHERS:
        for method, path, body in calls:
            answer = client.open(path, method=method, headers=headers, **body)
            assert code(answer) == (403, "cross_site"), (headers, method, path)
        form = {"file": song()}
        assert code(client.post("/v1/separations", data=form, headers=headers)) == (403, "cross_site")
    assert parts.store.recent() == []
    assert len(parts.store.keys.all()) == 1
    assert client.get("/v1/jobs").status_code == 200  # it is still signed in


def test_no_other_page_can_sign_a_browser_in(client: Any, parts: Services) -> None:
    _, token = made(parts)
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert code(client.post("/v1/session", json={"key": token}, headers=headers)) == (403, "cross_site")
    assert client.post("/v1/session", json={"key": token}).status_code == 200  # a program


def test_a_key_in_the_header_comes_before_the_cookie(client: Any, parts: Services) -> None:
    _, token = made(parts)
    sign_in(client, token)
    admin = make(parts, Scope.ADMIN)

    assert client.get("/v1/keys", headers=admin).status_code == 200
    anywhere = {**admin, "Origin": "https://band.example", "Sec-Fetch-Site": "cross-site"}
    assert submit(client, anywhere).status_code == 201  # as without a cookie
    assert code(client.get("/v1/jobs", headers={"Authorization": "Bearer x"})) == (401, "unauthorized")


def test_a_cookie_that_we_did_not_make_opens_nothing(client: Any, parts: Services) -> None:
    make(parts)
    for value in ("x", "a" * 43, "a" * 3000, "\u00e9", "'; DROP TABLE sessions;--", "a=b"):
        client.set_cookie("stemsvc_session", value)
        assert code(client.get("/v1/jobs")) == (401, "unauthorized"), value
        assert client.get("/v1/session").json["signed_in"] is False


def test_where_no_key_is_needed_an_old_cookie_is_no_hindrance(client: Any) -> None:
    client.set_cookie("stemsvc_session", "old")
    assert submit(client, {"Origin": "http://localhost"}).status_code == 201


def test_who_fails_too_often_must_wait(client: Any, parts: Services) -> None:
    _, token = made(parts)
    for _ in range(10):
        assert sign_in(client, "stemsvc_aaaaaaaaaa_" + "a" * 43).status_code == 401
    answer = sign_in(client, token)

    assert code(answer) == (429, "rate_limited")
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    # behind a proxy each client counts for itself
    assert sign_in(client, token, **{"X-Forwarded-For": "203.0.113.9"}).status_code == 200


def test_api_processes_count_tries_together(app_with: Any, redis_url: str) -> None:
    clients = [app_with(broker_url=redis_url) for _ in range(2)]
    statuses = [sign_in(clients[number % 2], "x").status_code for number in range(11)]
    assert statuses == [401] * 10 + [429]


def test_a_key_has_a_hundred_sessions_at_most(client: Any, parts: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stemsvc.jobstore.sessions.MOST_PER_KEY", 2)
    _, token = made(parts)
    copies = []
    for _ in range(3):
        client.delete_cookie("stemsvc_session")
        copies.append(cookie(sign_in(client, token)))
    opened = []
    for each in copies:
        client.set_cookie("stemsvc_session", each)
        opened.append(client.get("/v1/jobs").status_code)
    assert opened == [401, 200, 200]


def test_signing_in_again_ends_the_session_before(client: Any, parts: Services) -> None:
    first, second = made(parts), made(parts)
    before = cookie(sign_in(client, first[1]))
    sign_in(client, second[1])

    assert client.get("/v1/session").json["key_id"] == second[0].id
    client.set_cookie("stemsvc_session", before)
    assert client.get("/v1/jobs").status_code == 401
