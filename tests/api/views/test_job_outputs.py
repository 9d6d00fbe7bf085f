"""Jobs whose track is a file that another job made."""

from __future__ import annotations

import io
from typing import Any

import pytest

from stemsvc.accounts.keys import DEFAULT_SCOPES, Scope
from stemsvc.control.services import Services
from tests.api.views.test_jobs import finish
from tests.api.views.test_keys import code, make
from tests.api.views.test_retry import failed, retry
from tests.api.views.test_sources import by_json, upload
from tests.containers import pcm16, wav
from tests.sounds import tone

STEM = wav(pcm16(tone(2.0, 8000)), rate=8000)


def separated(client: Any, parts: Services, headers: dict[str, str] | None = None, **outputs: bytes) -> str:
    """The id of a job that has succeeded, with these files."""
    made = upload(client, b"music", headers, filename="Song.flac")
    job = by_json(client, headers, source={"upload_id": made["upload_id"]}).json["id"]
    rows = {}
    for name, data in (outputs or {"vocals": STEM, "drums": STEM}).items():
        key = f"jobs/{job}/attempt-1/{name}.wav"
        parts.storage.put(key, io.BytesIO(data), "audio/wav")
        rows[name] = {"key": key, "bytes": len(data), "content_type": "audio/wav", "stem": name, "format": "wav"}
    finish(parts, job, rows)
    return str(job)


def test_an_output_of_a_job_becomes_the_track_of_another(client: Any, parts: Services) -> None:
    earlier = separated(client, parts)

    job = by_json(client, source={"job_id": earlier, "output": "vocals"}).json

    assert (job["state"], job["filename"], job["source_url"]) == ("queued", "Song - vocals.wav", None)
    kept = parts.store.get(job["id"])
    assert kept is not None
    (own,) = kept.inputs
    assert (own.from_job, own.from_output, own.bytes, own.role) == (earlier, "vocals", len(STEM), "source")
    with parts.storage.open(own.key) as file:
        assert file.read() == STEM
    # the copy is its own: what becomes of the earlier job does it no harm
    assert client.delete(f"/v1/jobs/{earlier}").status_code == 204
    assert parts.storage.keys("jobs/") == [own.key]


def test_a_job_with_one_file_needs_no_name(client: Any, parts: Services) -> None:
    assert by_json(client, source={"job_id": separated(client, parts, mix=STEM)}).status_code == 201
    answer = by_json(client, source={"job_id": separated(client, parts)})
    assert code(answer) == (422, "unknown_output")
    assert "it has vocals, drums" in answer.json["detail"]


def test_an_output_that_there_is_not_is_refused_and_the_others_are_named(client: Any, parts: Services) -> None:
    earlier = separated(client, parts)
    for name in ("flute", "", "../vocals", "Vocals"):
        answer = by_json(client, source={"job_id": earlier, "output": name})
        assert code(answer) == (422, "unknown_output")
        assert "vocals, drums" in answer.json["detail"]


def test_a_job_that_has_no_files_says_why(client: Any, parts: Services) -> None:
    place = upload(client)

    def asked(job: str) -> tuple[int, str]:
        return code(by_json(client, source={"job_id": job, "output": "vocals"}))

    queued = by_json(client, source={"upload_id": place["upload_id"]}).json["id"]
    assert asked(queued) == (409, "source_not_ready")
    assert asked(failed(parts, queued)) == (409, "source_failed")
    old = separated(client, parts)
    parts.store.expire(-1.0)
    assert asked(old) == (410, "source_expired")
    for unknown in ("0" * 32, "../../etc", "", "nobody"):
        assert asked(unknown) == (404, "job_not_found")


def test_an_output_that_is_erased_in_this_moment_is_no_source(client: Any, parts: Services) -> None:
    earlier = separated(client, parts)
    parts.storage.delete(f"jobs/{earlier}/attempt-1/")  # as the janitor does, before it moves the row
    before = parts.storage.keys("")

    assert code(by_json(client, source={"job_id": earlier, "output": "drums"})) == (410, "source_expired")
    assert parts.storage.keys("") == before


def test_outputs_belong_to_their_key(client: Any, parts: Services) -> None:
    mine, other = make(parts), make(parts)
    asked = {"job_id": separated(client, parts, mine), "output": "vocals"}

    assert code(by_json(client, other, source=asked)) == (404, "job_not_found")
    assert by_json(client, mine, source=asked).status_code == 201
    assert by_json(client, make(parts, *DEFAULT_SCOPES, Scope.ADMIN), source=asked).status_code == 201


@pytest.mark.parametrize(
    "source",
    [
        {"job_id": "a", "upload_id": "b"},
        {"output": "vocals"},
        {"output": "vocals", "upload_id": "b"},
        {"job_id": 7, "output": "vocals"},
        {"job_id": "a", "output": ["vocals"]},
        {"job_id": "a", "stem": "vocals"},
        {},
    ],
)
def test_a_source_names_one_thing(client: Any, source: dict[str, Any]) -> None:
    assert code(by_json(client, source=source)) == (422, "invalid_fields")


def test_json_has_no_parts(client: Any) -> None:
    assert code(by_json(client, source={"file": "vocals"})) == (400, "missing_file")


def test_a_job_of_an_output_is_retried_from_it(client: Any, parts: Services) -> None:
    earlier = separated(client, parts)
    job = failed(parts, by_json(client, source={"job_id": earlier, "output": "vocals"}).json["id"])

    again = retry(client, job).json

    kept = parts.store.get(again["id"])
    assert kept is not None
    assert (kept.inputs[0].from_job, kept.inputs[0].from_output, kept.retry_of) == (earlier, "vocals", job)
    assert parts.storage.size(kept.inputs[0].key) == len(STEM)
    client.delete(f"/v1/jobs/{earlier}")
    # the job keeps its own copy for a while
    second = retry(client, failed(parts, again["id"])).json
    assert parts.storage.size(f"jobs/{second['id']}/input") == len(STEM)
    parts.janitor.retry_ttl = 0.0
    failed(parts, second["id"])
    parts.janitor.sweep()
    assert code(retry(client, second["id"])) == (410, "input_gone")


def test_another_output_is_another_request(client: Any, parts: Services) -> None:
    earlier, key = separated(client, parts), {"Idempotency-Key": "one"}
    first = by_json(client, key, source={"job_id": earlier, "output": "vocals"})

    again = by_json(client, key, source={"job_id": earlier, "output": "vocals"})
    assert (again.json["id"], again.headers["Idempotent-Replayed"]) == (first.json["id"], "true")
    other = by_json(client, key, source={"job_id": earlier, "output": "drums"})
    assert code(other) == (409, "idempotency_conflict")


def test_an_output_counts_by_its_length(app_with: Any) -> None:
    short = app_with(max_duration_seconds=1.0)
    parts = short.application.extensions["stemsvc"]
    earlier = separated(short, parts)
    assert code(by_json(short, source={"job_id": earlier, "output": "vocals"})) == (422, "track_too_long")


def test_a_batch_takes_outputs(client: Any, parts: Services) -> None:
    earlier = separated(client, parts)
    bodies = [{"source": {"job_id": earlier, "output": name}} for name in ("vocals", "flute")]
    first, second = client.post("/v1/jobs:batch", json={"jobs": bodies}).json["results"]
    assert (first["status"], second["status"], second["error"]["code"]) == (201, 422, "unknown_output")
