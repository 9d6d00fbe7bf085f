"""Batches that are sent again: each job is made once, whatever became of the first answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from api.app import create_app
from stemsvc.accounts.keys import Scope
from stemsvc.control.services import Services
from stemsvc.settings import Settings
from tests.api.views.test_jobs import refused
from tests.api.views.test_keys import code, make
from tests.api.views.test_sources import upload

URL = "https://example.org/{}.mp3"
KEY = {"Idempotency-Key": "batch-1"}


def link(name: str, **fields: Any) -> dict[str, Any]:
    return {"source": {"url": URL.format(name)}, **fields}


def send(client: Any, *jobs: Any, **headers: str) -> Any:
    return client.post("/v1/jobs:batch", json={"jobs": list(jobs)}, headers={**KEY, **headers})


def ids(answer: Any) -> list[str]:
    """The job's id, or the error's code, of each result."""
    assert answer.status_code == 200, answer.json
    return [each["job"]["id"] if "job" in each else each["error"]["code"] for each in answer.json["results"]]


def made(parts: Services) -> set[str]:
    return {job.id for job in parts.store.recent()}


def test_a_batch_that_is_sent_again_gets_the_same_jobs(client: Any, parts: Services) -> None:
    batch = [link("a"), link("b", stems=["vocals"]), link("a"), {"source": {"upload_id": upload(client)["upload_id"]}}]
    first, again = send(client, *batch), send(client, *batch)

    assert ids(again) == ids(first)
    assert [each["status"] for each in again.json["results"]] == [201] * 4
    assert [each["replayed"] for each in first.json["results"]] == [False] * 4
    assert [each["replayed"] for each in again.json["results"]] == [True] * 4
    assert ("Idempotent-Replayed" in first.headers, again.headers["Idempotent-Replayed"]) == (False, "true")
    assert len(made(parts)) == 4  # the same link twice is two jobs
    assert set(ids(send(client, *batch, **{"Idempotency-Key": "batch-2"}))).isdisjoint(ids(first))


def test_without_a_key_each_batch_makes_its_jobs(client: Any, parts: Services) -> None:
    for _ in range(2):
        client.post("/v1/jobs:batch", json={"jobs": [link("a")]})
    assert len(made(parts)) == 2


def test_what_failed_for_a_time_is_made_later(app_settings: Settings) -> None:
    # given a queue with room for one job
    app = create_app(app_settings.model_copy(update={"max_waiting_per_pool": 1}))
    parts: Services = app.extensions["stemsvc"]
    with app.test_client() as client:
        batch = [link("a"), link("b")]
        first = send(client, *batch)
        job_id, why = ids(first)
        assert (why, first.json["results"][1]["status"]) == ("queue_full", 429)

        assert ids(send(client, *batch)) == [job_id, "queue_full"]
        assert parts.store.leases.take(job_id, "worker", 60)
        same, other = ids(send(client, *batch))
    parts.close()

    assert same == job_id
    assert made(parts) == {same, other}


def test_a_body_that_made_no_job_may_be_corrected(client: Any, parts: Services) -> None:
    assert ids(send(client, link("a", stems=["kazoo"]), link("b")))[0] == "unknown_stem"
    (job_id,) = made(parts)
    answer = send(client, link("a", stems=["vocals"]), link("b"))
    corrected = ids(answer)

    assert [each["replayed"] for each in answer.json["results"]] == [False, True]
    assert "Idempotent-Replayed" not in answer.headers
    assert corrected[1] == job_id
    assert made(parts) == set(corrected)


@pytest.mark.parametrize(
    "changed",
    [
        [link("a"), link("c")],
        [link("b"), link("a")],
        [link("a")],
        [link("a"), link("b"), link("c")],
        [link("c"), link("a"), link("b")],
        [link("a"), link("b", cache=False)],
    ],
)
def test_another_batch_with_the_same_key_makes_nothing(client: Any, parts: Services, changed: list[Any]) -> None:
    first = ids(send(client, link("a"), link("b")))
    assert code(send(client, *changed)) == (409, "idempotency_conflict")
    assert made(parts) == set(first)


def test_a_body_that_can_not_be_read_does_not_hide_another_batch(client: Any, parts: Services) -> None:
    first = ids(send(client, link("a"), link("b")))
    assert code(send(client, {"stems": 7}, link("c"))) == (409, "idempotency_conflict")
    assert made(parts) == set(first)


def test_two_owners_may_use_the_same_key(client: Any, parts: Services) -> None:
    scopes = (Scope.SUBMIT, Scope.READ, Scope.URL_SOURCE)
    mine, yours = make(parts, *scopes), make(parts, *scopes)
    assert ids(send(client, link("a"), **mine)) != ids(send(client, link("a"), **yours))
    assert ids(send(client, link("a"), **mine)) == ids(send(client, link("a"), **mine))


def test_a_key_of_a_batch_is_no_key_of_a_job(client: Any, parts: Services) -> None:
    (of_batch,) = ids(send(client, link("a")))
    alone = client.post("/v1/jobs", json=link("a"), headers=KEY)
    assert (alone.status_code, len(made(parts))) == (201, 2)
    assert alone.json["id"] != of_batch


def test_a_body_with_its_own_key_is_that_job_wherever_it_is_sent(client: Any, parts: Services) -> None:
    first = ids(send(client, link("a", idempotency_key="a"), link("b", idempotency_key="b")))
    moved = ids(send(client, link("b", idempotency_key="b"), link("c"), link("a", idempotency_key="a")))
    alone = client.post("/v1/jobs", json=link("a"), headers={"Idempotency-Key": "a"}).json["id"]

    assert [moved[2], moved[0]] == first
    assert alone == first[0]
    assert made(parts) == {*first, moved[1]}


def test_a_conflict_of_an_own_key_refuses_its_body_alone(client: Any, parts: Services) -> None:
    batch = [link("a", idempotency_key="a"), link("b", idempotency_key="a"), link("a", idempotency_key="a"), link("c")]
    got = ids(send(client, *batch))

    assert got[1] == "idempotency_conflict"
    assert got[2] == got[0]
    assert made(parts) == {got[0], got[3]}


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, 7, ["a"], {"a": 1}, "ü"])
def test_a_body_with_no_real_key_is_refused_alone(client: Any, parts: Services, key: Any) -> None:
    got = ids(client.post("/v1/jobs:batch", json={"jobs": [link("a", idempotency_key=key), link("b")]}))
    assert got[0] == "bad_idempotency_key"
    assert made(parts) == {got[1]}


def test_a_null_key_is_none(client: Any) -> None:
    body = {"jobs": [link("a", idempotency_key=None)] * 2}
    assert len(set(ids(client.post("/v1/jobs:batch", json=body)))) == 2


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ü"])
def test_a_key_that_is_none_refuses_the_batch(client: Any, parts: Services, key: str) -> None:
    assert refused(send(client, link("a"), **{"Idempotency-Key": key}), parts) == (400, "bad_idempotency_key")


def test_many_who_send_one_batch_at_once_make_it_once(client: Any, parts: Services) -> None:
    app, batch, start = client.application, [link(str(number)) for number in range(5)], threading.Barrier(4)

    def one(_: int) -> list[str]:
        start.wait(30)
        return ids(send(app.test_client(), *batch))

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(one, range(4)))

    assert len({tuple(each) for each in answers}) == 1
    assert made(parts) == set(answers[0])
