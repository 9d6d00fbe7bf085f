"""`GET /v1/jobs`: filters, pages, cursors."""

from __future__ import annotations

from typing import Any

import pytest

from stemsvc.control.services import Services
from tests.api.views.test_jobs import song


def submit(client: Any, **fields: str) -> str:
    data = {"file": song(), **fields}
    return str(client.post("/v1/jobs", data=data, content_type="multipart/form-data").json["id"])


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.json
    return [job["id"] for job in answer.json["jobs"]]


def test_pages_hold_every_job_once_while_more_come(client: Any) -> None:
    sent = [submit(client) for _ in range(7)]
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = client.get("/v1/jobs", query_string={"limit": 3, **({"cursor": cursor} if cursor else {})})
        found += ids(answer)
        cursor = answer.json["next_cursor"]
        submit(client)  # comes in front, where no later page looks

    assert found == sent[::-1]


def test_filters(client: Any, parts: Services) -> None:
    first, second = submit(client, model="demo"), submit(client, model="htdemucs")
    client.post(f"/v1/jobs/{first}/cancel")
    at = client.get(f"/v1/jobs/{second}").json["created_at"]

    assert ids(client.get("/v1/jobs?state=canceled")) == [first]
    assert ids(client.get("/v1/jobs?state=queued&state=canceled")) == [second, first]
    assert ids(client.get("/v1/jobs?model=htdemucs")) == [second]
    assert ids(client.get("/v1/jobs?model=none")) == []
    assert ids(client.get("/v1/jobs", query_string={"created_before": at})) == [first]
    assert ids(client.get("/v1/jobs", query_string={"created_after": at})) == []
    assert ids(client.get("/v1/jobs?created_after=2020-01-01T00:00:00")) == [second, first]


def test_a_job_in_a_list_says_how_far_it_is(client: Any) -> None:
    submit(client)
    (job,) = client.get("/v1/jobs").json["jobs"]

    assert (job["state"], job["filename"], job["progress"]["stage"]) == ("queued", "song.mp3", "queued")
    assert "stems" not in job  # signed URLs are made where one job is asked for


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "state=lost",
        "model=a%00b",
        "created_after=yesterday",
        "created_before=99999999999999",
    ],
)
def test_what_can_not_be_is_named(client: Any, query: str) -> None:
    answer = client.get(f"/v1/jobs?{query}")

    assert (answer.status_code, answer.json["code"]) == (422, "invalid_fields")
    assert query.partition("=")[0] in answer.json["detail"]


@pytest.mark.parametrize("cursor", ["x", "%00", "AAAA", "A" * 500, "f_gAAAAAAABh", "f-AAAAAAAAAnJw", "é", "''"])
def test_a_made_up_cursor_is_refused(client: Any, cursor: str) -> None:
    answer = client.get("/v1/jobs", query_string={"cursor": cursor})

    assert (answer.status_code, answer.json["code"]) == (422, "bad_cursor")
