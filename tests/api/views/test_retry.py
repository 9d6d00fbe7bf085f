"""`POST /v1/jobs/{id}/retry`: a job that ended without files, sent again as a new one."""

from __future__ import annotations

from typing import Any

import pytest

from stemsvc.accounts.keys import DEFAULT_SCOPES, Scope
from stemsvc.control.services import Services
from stemsvc.jobs.spec import JobSpec
from tests.api.views.test_jobs import finish, song
from tests.api.views.test_keys import code, make
from tests.api.views.test_sources import URL, by_json, upload

OPTIONS: dict[str, Any] = {
    "stems": ["vocals", "no_drums"],
    "format": "wav",
    "bit_depth": "24",
    "metadata": {"album": 7},
    "seed": 9,
}


def retry(client: Any, job: str, **headers: str) -> Any:
    return client.post(
        f"/v1/jobs/{job}/retry", headers={name.replace("_", "-"): each for name, each in headers.items()}
    )


def failed(parts: Services, job: str) -> str:
    taken = parts.store.leases.take(job, "worker", 60)
    assert taken
    assert parts.store.leases.fail(taken[1], "worker_lost", "it died")
    return job


def spec_of(parts: Services, job: str) -> JobSpec:
    found = parts.store.get(job)
    assert found is not None
    return found.spec


def test_a_failed_job_s_upload_is_taken_again_with_the_same_options(client: Any, parts: Services) -> None:
    place = upload(client, b"la la la", filename="song.mp3")
    job = failed(parts, by_json(client, source={"upload_id": place["upload_id"]}, **OPTIONS).json["id"])

    answer = retry(client, job)

    assert answer.status_code == 201, answer.json
    again = answer.json
    assert answer.headers["Location"] == f"/v1/jobs/{again['id']}"
    assert (again["state"], again["retry_of"], again["attempt"]) == ("queued", job, 0)
    assert again["id"] != job
    assert spec_of(parts, again["id"]) == spec_of(parts, job)
    assert parts.storage.keys("jobs/") == [f"jobs/{again['id']}/input"]
    assert client.get(f"/v1/jobs/{job}").json["retry_of"] is None
    # and the new one may fail, too
    assert retry(client, failed(parts, again["id"])).json["retry_of"] == again["id"]


def test_a_canceled_job_s_link_is_fetched_again(client: Any, parts: Services) -> None:
    job = by_json(client, source={"url": URL}, stems=["drums"]).json["id"]
    client.post(f"/v1/jobs/{job}/cancel")

    again = retry(client, job).json
    assert (again["source_url"], again["pool"], again["retry_of"]) == (URL, "fetch", job)


def test_an_expired_job_is_made_again(client: Any, parts: Services) -> None:
    place = upload(client)
    job = by_json(client, source={"upload_id": place["upload_id"]}).json["id"]
    finish(parts, job, {})
    parts.store.expire(-1.0)
    assert client.get(f"/v1/jobs/{job}").json["state"] == "expired"

    assert retry(client, job).json["state"] == "queued"


def sent(client: Any) -> str:
    """A job whose track came with it."""
    made: str = client.post("/v1/jobs", data={"file": song()}, content_type="multipart/form-data").json["id"]
    return made


def test_an_upload_that_was_deleted_can_not_be_taken_again(client: Any, parts: Services) -> None:
    place = upload(client)
    job = by_json(client, source={"upload_id": place["upload_id"]}).json["id"]
    client.delete(f"/v1/uploads/{place['upload_id']}")
    failed(parts, job)

    assert code(retry(client, job)) == (410, "input_gone")
    assert parts.storage.keys("") == []
    assert len(parts.store.recent()) == 1


@pytest.mark.parametrize("end", ["failed", "canceled"])
def test_a_track_that_came_with_its_job_is_kept_for_another_try(client: Any, parts: Services, end: str) -> None:
    job = sent(client)
    bytes = parts.storage.size(f"jobs/{job}/input")
    if end == "failed":
        failed(parts, job)
    else:
        client.post(f"/v1/jobs/{job}/cancel")

    again = retry(client, job).json

    assert (again["state"], again["retry_of"]) == ("queued", job)
    assert parts.storage.size(f"jobs/{again['id']}/input") == bytes
    # and it goes at once with its job
    client.delete(f"/v1/jobs/{job}")
    assert parts.storage.keys("jobs/") == [f"jobs/{again['id']}/input"]


def test_a_track_is_kept_for_its_time_only(client: Any, parts: Services) -> None:
    job = sent(client)
    failed(parts, job)
    parts.janitor.sweep()
    kept = parts.store.get(job)
    assert kept is not None
    assert kept.stored_bytes == parts.storage.size(f"jobs/{job}/input")  # it counts as what its owner stores

    parts.janitor.retry_ttl = 0.0
    parts.janitor.sweep()

    assert parts.storage.keys("") == []
    assert parts.store.get(job).stored_bytes == 0  # type: ignore[union-attr]
    assert code(retry(client, job)) == (410, "input_gone")


def test_a_track_that_was_at_fault_is_not_kept(client: Any, parts: Services) -> None:
    job = sent(client)
    taken = parts.store.leases.take(job, "worker", 60)
    assert taken
    parts.store.leases.fail(taken[1], "not_audio", "no track")

    assert parts.storage.keys("") == []
    assert code(retry(client, job)) == (410, "input_gone")


def test_no_track_is_kept_where_the_operator_wants_none(app_with: Any) -> None:
    client = app_with(retry_ttl_seconds=0.0)
    parts = client.application.extensions["stemsvc"]
    job = sent(client)
    client.post(f"/v1/jobs/{job}/cancel")

    assert parts.storage.keys("") == []
    assert code(retry(client, job)) == (410, "input_gone")


def test_a_job_that_goes_on_or_succeeded_is_not_retried(client: Any, parts: Services) -> None:
    job = by_json(client, source={"upload_id": upload(client)["upload_id"]}).json["id"]
    assert code(retry(client, job)) == (409, "job_not_retryable")
    finish(parts, job, {})
    assert code(retry(client, job)) == (409, "job_not_retryable")
    assert code(retry(client, "nobody")) == (404, "job_not_found")


def test_a_retry_that_is_sent_again_makes_no_second_job(client: Any, parts: Services) -> None:
    place = upload(client)
    job = failed(parts, by_json(client, source={"upload_id": place["upload_id"]}).json["id"])
    first = retry(client, job, Idempotency_Key="one")
    client.delete(f"/v1/uploads/{place['upload_id']}")  # the answer is the same, whatever became of the track

    second = retry(client, job, Idempotency_Key="one")

    assert (second.status_code, second.json["id"]) == (201, first.json["id"])
    assert ("Idempotent-Replayed" in first.headers, second.headers["Idempotent-Replayed"]) == (False, "true")
    other = failed(parts, first.json["id"])
    assert code(retry(client, other, Idempotency_Key="one")) == (409, "idempotency_conflict")


def test_only_the_own_key_s_jobs_are_retried_by_what_it_may(client: Any, parts: Services) -> None:
    fetching, other = make(parts, *DEFAULT_SCOPES, Scope.URL_SOURCE), make(parts, *DEFAULT_SCOPES)
    job = by_json(client, fetching, source={"url": URL}).json["id"]
    client.post(f"/v1/jobs/{job}/cancel", headers=fetching)

    assert code(retry(client, job, **other)) == (404, "job_not_found")
    assert code(retry(client, job, **make(parts, Scope.READ))) == (403, "forbidden")
    assert retry(client, job, **fetching).status_code == 201
    assert retry(client, job, **make(parts, Scope.ADMIN)).status_code == 201
