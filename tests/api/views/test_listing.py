"""`GET /v1/jobs`: filters, pages, cursors."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from stemsvc.accounts.keys import Scope
from stemsvc.control.services import Services
from tests.api.views.test_jobs import song
from tests.api.views.test_keys import make


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
    submit(client, stems="vocals,drums", format="mp3")
    (job,) = client.get("/v1/jobs").json["jobs"]

    assert (job["state"], job["filename"], job["progress"]["stage"]) == ("queued", "song.mp3", "queued")
    assert (job["name"], job["format"], job["duration_seconds"], job["stems_expire_at"]) == ("song", "mp3", None, None)
    assert sorted(job["stems"]) == ["drums", "vocals"]  # names: URLs are signed where one job is asked for


def test_a_job_that_ended_says_in_a_list_what_it_made_and_until_when(client: Any, parts: Services) -> None:
    job_id = submit(client)
    taken = parts.store.leases.take(job_id, "worker", 60)
    assert taken is not None
    files = {name: {"key": f"jobs/{name}", "bytes": 1, "stem": name[:6]} for name in ("vocals.wav", "vocals.mp3")}
    parts.store.leases.succeed(taken[1], {"duration_seconds": 12.5}, files)
    (job,) = client.get("/v1/jobs").json["jobs"]

    assert (job["stems"], job["duration_seconds"]) == (["vocals"], 12.5)
    kept = datetime.fromisoformat(job["stems_expire_at"]) - datetime.fromisoformat(job["finished_at"])
    assert kept.total_seconds() == pytest.approx(parts.settings.stems_ttl_seconds)


def named(client: Any, name: str) -> str:
    data = {"file": song(name)}
    return str(client.post("/v1/jobs", data=data, content_type="multipart/form-data").json["id"])


def test_words_find_names(client: Any) -> None:
    first, second = named(client, "Über den Wolken [live] 100%.mp3"), named(client, "Live at Leeds_2.flac")

    for words, found in {
        "live": [second, first],
        "LIVE wolken": [first],
        "über": [first],
        "ÜBER": [first],  # as macOS writes it
        "leeds live": [second],
        "_": [second],
        "%": [first],
        "[live]": [first],
        "*": [],
        "?": [],
        "[a-z]": [],
        "'": [],
        "": [second, first],
        "  ": [second, first],
    }.items():
        assert ids(client.get("/v1/jobs", query_string={"q": words})) == found, words
    assert ids(client.get("/v1/jobs", query_string={"q": "live", "limit": 1})) == [second]


def test_an_admin_may_list_its_own_jobs_alone(client: Any, parts: Services) -> None:
    theirs, admin = make(parts), make(parts, Scope.ADMIN)
    for key in (theirs, admin):
        client.post("/v1/jobs", data={"file": song()}, content_type="multipart/form-data", headers=key)

    assert len(client.get("/v1/jobs", headers=admin).json["jobs"]) == 2
    assert len(client.get("/v1/jobs?mine=true", headers=admin).json["jobs"]) == 1
    assert len(client.get("/v1/jobs?mine=true", headers=theirs).json["jobs"]) == 1


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
