"""Following all jobs by one stream, over real connections."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api.app import create_app
from api.edge import auth, event_streams
from api.views import feed
from stemsvc.accounts.keys import Scope
from stemsvc.control.services import Services
from stemsvc.jobstore.tables import events
from stemsvc.settings import Settings
from tests.api.views.test_events import parsed, run
from tests.api.views.test_keys import code, make, submit
from tests.processes import wait_for


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "KEEP_SECONDS", -1.0)


@contextmanager
def stream(url: str, headers: dict[str, str] | None = None, **query: Any) -> Iterator[Iterator[dict[str, Any]]]:
    with httpx.stream("GET", f"{url}/v1/events", headers=headers or {}, params=query, timeout=60) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert response.headers["X-Accel-Buffering"] == "no"
        yield (each for each in parsed(response.iter_lines()) if each["event"] != "comment")


def sent(client: Any, headers: dict[str, str] | None = None) -> str:
    return str(submit(client, headers or {}).json["id"])


def states(seen: Iterator[dict[str, Any]], count: int) -> list[tuple[str, str]]:
    """The next `count` moves, as job and state."""
    moves = (each["data"] for each in seen if each["event"] == "state")
    return [(move["job_id"], move["to"]) for move in islice(moves, count)]


def test_all_jobs_come_in_one_stream_as_they_move(client: Any, parts: Services, url: str) -> None:
    first = sent(client)
    with stream(url) as seen:
        move = next(seen)
        assert (move["event"], move["data"]["job_id"], move["data"]["to"]) == ("state", first, "queued")
        assert move["data"]["job"] == client.get("/v1/jobs").json["jobs"][0] | {
            "progress": {"fraction": 0.0, "stage": "queued", "eta_seconds": None}
        }
        told = next(seen)
        assert (told["event"], told["data"]["job_id"], told["data"]["stage"]) == ("progress", first, "waiting_for_pool")
        second = sent(client)
        assert states(seen, 1) == [(second, "queued")]
        lease = run(parts, first)
        assert states(seen, 1) == [(first, "running")]
        parts.store.leases.heartbeat(lease, 60, 0.5, "separating")
        halfway = next(each for each in seen if each["event"] == "progress" and each["data"]["fraction"])
        assert (halfway["data"]["job_id"], halfway["data"]["fraction"], halfway["data"]["attempt"]) == (first, 0.5, 1)
        parts.store.leases.succeed(lease, {}, {})
        end = next(each for each in seen if each["event"] == "state")
        assert end["data"]["job"]["progress"]["fraction"] == 1.0
        parts.acceptance.cancel(second)
        assert states(seen, 1) == [(second, "canceled")]


def test_who_comes_back_misses_nothing_and_gets_nothing_twice(client: Any, parts: Services, url: str) -> None:
    first, second = sent(client), sent(client)
    with stream(url) as seen:
        last = [next(seen)["id"] for _ in range(2)][-1]
    parts.acceptance.cancel(first)
    third = sent(client)
    lease = run(parts, second)
    parts.store.leases.fail(lease, "not_audio", "no")

    with stream(url, {"Last-Event-ID": last}) as seen:
        expected = [(first, "canceled"), (third, "queued"), (second, "running"), (second, "failed")]
        assert states(seen, 4) == expected
        parts.acceptance.cancel(third)
        assert states(seen, 1) == [(third, "canceled")]


def test_an_entry_that_is_committed_late_is_not_missed(client: Any, parts: Services, url: str) -> None:
    job_id = sent(client)
    with stream(url) as seen:
        last = next(seen)["id"]
    engine = sa.create_engine(parts.settings.resolved_database_url)
    with engine.begin() as connection:  # as a transaction does that began before, on another host
        at = connection.execute(sa.select(sa.func.max(events.c.at))).scalar_one() - 3.0
        connection.execute(events.insert().values(job_id=job_id, at=at, to_state="running", why="late"))
    engine.dispose()

    with stream(url, {"Last-Event-ID": last}) as seen:
        assert states(seen, 1) == [(job_id, "running")]


def test_ids_that_are_given_again_hide_nothing(client: Any, parts: Services, url: str) -> None:
    deleted = sent(client)
    with stream(url) as seen:
        last = next(seen)["id"]
    parts.store.delete(deleted)  # SQLite gives the entry's id to the next one
    job_id = sent(client)

    with stream(url, {"Last-Event-ID": last}) as seen:
        assert states(seen, 1) == [(job_id, "queued")]


def test_a_late_client_asks_for_what_was_before(client: Any, parts: Services, url: str) -> None:
    job_id = sent(client)
    parts.acceptance.cancel(job_id)

    with stream(url) as seen:  # a minute back
        assert states(seen, 2) == [(job_id, "queued"), (job_id, "canceled")]
    with stream(url, since="2020-01-01T00:00:00Z") as seen:
        assert states(seen, 2) == [(job_id, "queued"), (job_id, "canceled")]
    with stream(url, since="2999-01-01T00:00:00Z") as seen:
        other = sent(client)
        assert next(seen)["data"]["job_id"] == other  # its progress alone


def test_each_key_follows_its_own_jobs_and_an_admin_everyones_if_asked(
    client: Any,
    parts: Services,
    url: str,
) -> None:
    mine, theirs, admin = make(parts), make(parts), make(parts, Scope.ADMIN)
    of_mine, of_theirs, of_admin = sent(client, mine), sent(client, theirs), sent(client, admin)

    for headers, query, expected in (
        (mine, {}, [of_mine]),
        (theirs, {}, [of_theirs]),
        (admin, {}, [of_admin]),
        (admin, {"all": "true"}, [of_mine, of_theirs, of_admin]),
    ):
        with stream(url, headers, **query) as seen:
            events = [next(seen) for _ in range(2 * len(expected))]
            assert {each["data"]["job_id"] for each in events} == set(expected)
    assert code(client.get("/v1/events?all=true", headers=mine)) == (403, "forbidden")
    assert code(client.get("/v1/events")) == (401, "unauthorized")
    assert code(client.get("/v1/events", headers=make(parts, Scope.SUBMIT))) == (403, "forbidden")


def test_a_stream_ends_with_its_key(
    client: Any,
    parts: Services,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed, "CHECK_SECONDS", 0.2)
    key = make(parts)
    sent(client, key)
    with stream(url, key) as seen:
        next(seen)
        parts.store.keys.revoke(parts.store.keys.all()[0].id)
        assert [each["event"] for each in seen] in ([], ["progress"])
    wait_for("nobody to follow", lambda: parts.feeds.count == 0)


def test_a_quiet_stream_is_kept_open_and_its_place_is_given_back(
    client: Any,
    parts: Services,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_streams, "HEARTBEAT_SECONDS", 0.2)
    gate = client.application.extensions["gate"]
    before = gate._waiting._value
    with httpx.stream("GET", f"{url}/v1/events", timeout=30) as response:
        lines = response.iter_lines()
        assert list(islice(filter(None, lines), 3)) == ["retry: 2000", ": here", ": here"]
        assert gate._waiting._value == before - 1
    wait_for("the place", lambda: gate._waiting._value == before)


def test_a_deleted_job_is_told_of(client: Any, parts: Services, url: str) -> None:
    job_id = sent(client)
    with stream(url) as seen:
        assert [next(seen)["event"] for _ in range(2)] == ["state", "progress"]
        parts.store.delete(job_id)
        assert next(seen) == {"event": "deleted", "data": {"job_id": job_id}}


def test_an_id_that_is_none_is_refused(client: Any) -> None:
    for last in ("x", "-1", "1.5", "1-2", "1-2.3-", "9" * 30, "1-2.9999999", "\u0663"):
        answer = client.get("/v1/events", headers={"Last-Event-ID": last.encode().decode("latin1")})
        assert code(answer) == (422, "bad_last_event_id"), last


def test_no_more_streams_than_there_are_places(app_with: Any) -> None:
    client = app_with(api_streams=0)
    assert code(client.get("/v1/events")) == (503, "too_many_streams")


def test_another_process_sees_the_same(client: Any, parts: Services, app_settings: Settings, url: str) -> None:
    with stream(url) as seen:
        other = create_app(app_settings)
        job_id = sent(other.test_client())
        assert states(seen, 1) == [(job_id, "queued")]
        other.extensions["stemsvc"].close()


def test_a_process_that_ends_ends_its_streams(client: Any, parts: Services, url: str) -> None:
    with stream(url) as seen:
        threading.Timer(0.3, parts.end_streams).start()
        assert list(seen) == []
