"""The jobs blueprint: what is accepted, what is refused and with which code."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from stemsvc.control.services import Services
from stemsvc.jobs.part import Part
from stemsvc.jobs.record import Lease
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.settings import Settings
from tests.specs import params_of


def song(name: str = "song.mp3", data: bytes = b"music") -> tuple[io.BytesIO, str]:
    return io.BytesIO(data), name


def submit(client: FlaskClient, **fields: Any) -> Any:
    return client.post("/v1/jobs", data=fields, content_type="multipart/form-data")


def get(client: FlaskClient, path: str, **headers: str) -> Any:
    return client.get(path, headers=headers)


def refused(answer: Any, parts: Services) -> tuple[int, str]:
    """Status and code of a problem, with the promise that nothing was left behind."""
    assert answer.content_type == "application/problem+json"
    assert set(answer.json) >= {"type", "title", "status", "code", "detail", "request_id"}
    assert answer.json["status"] == answer.status_code
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    assert parts.store.recent() == []
    assert parts.storage.keys("") == []
    return answer.status_code, answer.json["code"]


def test_a_track_becomes_a_queued_job(client: FlaskClient) -> None:
    answer = submit(
        client, file=song("my song.mp3"), stems="vocals, drums", format="wav", bit_depth="float32", residual="true"
    )

    assert answer.status_code == 201
    job = answer.json
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["state"], job["model"], job["device"], job["filename"]) == ("queued", "htdemucs", "auto", "my song.mp3")
    assert (job["format"], job["bit_depth"], job["residual"]) == ("wav", "float32", True)
    assert job["progress"] == {"fraction": 0.0, "stage": "waiting_for_pool", "eta_seconds": None}
    assert (job["queue_position"], job["attempt"], job["stems"], job["error"]) == (0, 0, {}, None)
    assert [move["to"] for move in job["timeline"]] == ["queued"]
    assert client.get(answer.headers["Location"]).json == job


def test_a_job_may_ask_for_several_formats_and_for_its_tags(client: FlaskClient, parts: Services) -> None:
    job = submit(client, file=song(), formats="mp3, flac", tags="false", title_template="{stem}").json
    plain = submit(client, file=song()).json

    assert (job["format"], job["formats"], job["bit_depth"]) == ("mp3", ["mp3", "flac"], "16")
    assert (job["tags"], job["title_template"], job["archive"]) == (False, "{stem}", None)
    assert (plain["format"], plain["formats"]) == ("flac", ["flac"])
    assert (plain["tags"], plain["title_template"]) == (True, "{title} ({stem})")
    kept = parts.store.get(job["id"])
    assert kept is not None
    assert kept.encoding.formats == ("mp3", "flac")


def test_stems_may_come_in_fields_of_their_own(client: FlaskClient, parts: Services) -> None:
    job = submit(client, file=song(), stems=["vocals", "drums, bass"]).json

    kept = parts.store.get(job["id"])
    assert kept is not None
    assert params_of(kept).stems == ("drums", "bass", "vocals")


def test_the_options_of_the_separation_are_kept(client: FlaskClient, parts: Services) -> None:
    how = {"overlap": "0.5", "shifts": "2", "seed": "7", "segment": "1.5", "precision": "fast"}
    job = submit(client, file=song(), stems="no_vocals,minus_drums,bass", **how).json

    kept = parts.store.get(job["id"])
    assert kept is not None
    assert params_of(kept).separation == SeparationOptions(0.5, 2, 7, 1.5, "fast")
    assert params_of(kept).stems == ("bass", "no_vocals", "minus_drums")
    assert {name: job[name] for name in how} == {
        "overlap": 0.5,
        "shifts": 2,
        "seed": 7,
        "segment": 1.5,
        "precision": "fast",
    }


def test_a_part_a_track_and_its_channels_are_kept(client: FlaskClient, parts: Services) -> None:
    how = {"start": "1.5", "end": "12", "audio_track": "1", "trim_start": "true", "channels": "source"}
    job = submit(client, file=song(), **how).json

    kept = parts.store.get(job["id"])
    assert kept is not None
    assert params_of(kept).part == Part(1.5, 12.0, 1, trim_start=True)
    asked = {"start": 1.5, "end": 12.0, "audio_track": 1, "trim_start": True, "channels": "source"}
    assert {name: job["params"][name] for name in how} == asked
    assert job["warnings"] == []


def test_the_defaults_are_flac_of_every_stem(client: FlaskClient, parts: Services) -> None:
    job = submit(client, file=song()).json

    kept = parts.store.get(job["id"])
    assert kept is not None
    assert params_of(kept).stems == ("drums", "bass", "other", "vocals")
    assert (job["format"], job["bit_depth"], job["residual"]) == ("flac", "16", False)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"model": "htdemucs_99"}, 422, "unknown_model"),
        ({"stems": "vocals,kazoo"}, 422, "unknown_stem"),
        ({"model": "htdemucs", "stems": "piano"}, 422, "unknown_stem"),
        ({"format": "wma"}, 422, "impossible_format"),
        ({"format": "mp3", "bit_depth": "24"}, 422, "impossible_format"),
        ({"format": "flac", "bit_depth": "float32"}, 422, "impossible_format"),
        ({"format": "wav", "bit_depth": "17"}, 422, "impossible_format"),
        ({"formats": "flac,wma"}, 422, "impossible_format"),
        ({"formats": "mp3,opus", "bit_depth": "24"}, 422, "impossible_format"),
        ({"formats": "flac,mp3", "format": "wav"}, 422, "impossible_format"),
        ({"title_template": "{album}"}, 422, "bad_template"),
        ({"tags": "some"}, 422, "invalid_fields"),
        ({"device": "abacus"}, 422, "invalid_fields"),
        ({"device": "cuda"}, 422, "no_pool"),
        ({"residual": "perhaps"}, 422, "invalid_fields"),
        ({"stems": "no_kazoo"}, 422, "unknown_stem"),
        ({"stems": "vocals,minus_drums", "residual": "true"}, 422, "overlapping_stems"),
        ({"overlap": "0.95"}, 422, "bad_options"),
        ({"overlap": "-0.1"}, 422, "bad_options"),
        ({"overlap": "nan"}, 422, "invalid_fields"),
        ({"shifts": "21"}, 422, "bad_options"),
        ({"shifts": "1.5"}, 422, "invalid_fields"),
        ({"seed": "4294967296"}, 422, "bad_options"),
        ({"segment": "8.5"}, 422, "bad_options"),
        ({"segment": "0.1"}, 422, "bad_options"),
        ({"precision": "int1"}, 422, "bad_options"),
        ({"tempo": "fast"}, 422, "invalid_fields"),
        ({"start": "-1"}, 422, "bad_options"),
        ({"start": "soon"}, 422, "invalid_fields"),
        ({"start": "inf"}, 422, "invalid_fields"),
        ({"start": "5", "end": "5"}, 422, "bad_options"),
        ({"start": "5", "end": "4"}, 422, "bad_options"),
        ({"end": "0"}, 422, "bad_options"),
        ({"end": "1e300"}, 422, "bad_options"),
        ({"audio_track": "-1"}, 422, "bad_options"),
        ({"audio_track": "100"}, 422, "bad_options"),
        ({"channels": "mono"}, 422, "invalid_fields"),
    ],
)
def test_what_can_not_be_done_is_refused(
    client: FlaskClient, parts: Services, fields: dict[str, str], status: int, code: str
) -> None:
    assert refused(submit(client, file=song(), **fields), parts) == (status, code)


def test_no_file(client: FlaskClient, parts: Services) -> None:
    assert refused(submit(client, model="demo"), parts) == (400, "missing_file")
    assert refused(client.post("/v1/jobs"), parts) == (400, "missing_file")
    assert refused(submit(client, file="just text"), parts) == (400, "missing_file")


def test_two_files(client: FlaskClient, parts: Services) -> None:
    assert refused(submit(client, file=[song("a.mp3"), song("b.mp3")]), parts) == (400, "too_many_files")


def test_a_file_in_another_field(client: FlaskClient, parts: Services) -> None:
    assert refused(submit(client, file=song(), cover=song("cover.jpg")), parts) == (422, "invalid_fields")


def test_an_empty_file(client: FlaskClient, parts: Services) -> None:
    assert refused(submit(client, file=song(data=b"")), parts) == (400, "empty_file")


def test_a_file_above_the_limit(client: FlaskClient, parts: Services) -> None:
    assert refused(submit(client, file=song(data=bytes(100_001))), parts) == (413, "file_too_large")


def test_an_unknown_job(client: FlaskClient, parts: Services) -> None:
    assert refused(client.get("/v1/jobs/nobody"), parts) == (404, "job_not_found")


def test_unknown_paths_and_methods_are_problems_too(client: FlaskClient, parts: Services) -> None:
    assert refused(client.get("/v1/nothing"), parts) == (404, "not_found")
    answer = client.put("/v1/jobs")
    assert refused(answer, parts) == (405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


def test_a_store_that_is_away_is_503_and_leaves_no_file(
    client: FlaskClient, app_settings: Settings, parts: Services
) -> None:
    (app_settings.data_dir / "jobs.sqlite").rename(app_settings.data_dir / "away")
    parts.store.close()
    answer = submit(client, file=song())

    assert (answer.status_code, answer.json["code"]) == (503, "store_unavailable")
    assert "Retry-After" in answer.headers
    assert parts.storage.keys("") == []


def test_a_finished_job_offers_fresh_signed_urls_that_work(client: FlaskClient, parts: Services) -> None:
    job_id = submit(client, file=song("my song.mp3")).json["id"]
    key = f"jobs/{job_id}/attempt-1/vocals.flac"
    parts.storage.put(key, io.BytesIO(b"la la la"), "audio/flac")
    finish(parts, job_id, {"vocals": {"key": key, "bytes": 8, "sha256": "x", "duration_seconds": 1.5}})

    job = get(client, f"/v1/jobs/{job_id}").json
    stem = job["stems"]["vocals"]
    assert (job["state"], job["progress"]["fraction"]) == ("succeeded", 1.0)
    assert (stem["bytes"], stem["sha256"], stem["duration_seconds"]) == (8, "x", 1.5)
    assert "key" not in stem
    answer = client.get(stem["url"])
    assert (answer.status_code, answer.data, answer.content_type) == (200, b"la la la", "audio/flac")
    assert "my song - vocals.flac" in answer.headers["Content-Disposition"]
    answer.close()


def test_a_job_s_urls_are_whole_and_work(client: FlaskClient, parts: Services, app_settings: Settings) -> None:
    job = submit(client, file=song()).json

    own = f"http://localhost/v1/jobs/{job['id']}"
    assert job["urls"] == {"self": own, "cancel": f"{own}/cancel", "events": f"{own}/events", "archive": None}
    assert get(client, job["urls"]["self"]).json == job
    assert client.post(job["urls"]["cancel"]).status_code == 200
    events = get(client, job["urls"]["events"])
    assert (events.status_code, events.content_type.partition(";")[0]) == (200, "text/event-stream")
    events.close()
    app = create_app(app_settings.model_copy(update={"public_url": "https://stems.example/music/"}))
    urls = app.test_client().get(f"/v1/jobs/{job['id']}").json["urls"]  # type: ignore[index]
    assert urls["self"] == f"https://stems.example/music/v1/jobs/{job['id']}"
    app.extensions["stemsvc"].close()


def test_a_stem_s_loudness_and_levels_are_told(client: FlaskClient, parts: Services) -> None:
    facts = {"loudness_lufs": -14.2, "peak": 0.5, "peak_db": -6.02, "true_peak_db": -5.9}
    facts |= {"silent": False, "clipped": True, "clipped_samples": 3}
    job_id = submit(client, file=song()).json["id"]
    own = {"key": "jobs/x/vocals.flac", "bytes": 8, "sha256": "x"}
    release_0_2 = {name: value for name, value in facts.items() if not name.endswith("_db")}
    finish(parts, job_id, {"vocals": {**own, **facts}, "drums": {**own, **release_0_2}, "notes": own})

    stems = get(client, f"/v1/jobs/{job_id}").json["stems"]

    assert {name: stems["vocals"][name] for name in facts} == facts
    assert (stems["drums"]["peak_db"], stems["drums"]["true_peak_db"]) == (-6.02, None)
    assert "peak_db" not in stems["notes"]
    schema = get(client, "/openapi.json").json["components"]["schemas"]["Stem"]
    assert set(facts) <= set(schema["properties"])
    assert not set(facts) & set(schema["required"])  # a file that is no audio has none of them


def test_a_file_is_kept_longer_than_its_url_lasts(client: FlaskClient, parts: Services) -> None:
    job_id = submit(client, file=song()).json["id"]
    finish(parts, job_id, {"vocals": {"key": "jobs/x/vocals.flac", "bytes": 8, "sha256": "x"}})

    job = get(client, f"/v1/jobs/{job_id}").json
    stem, ended = job["stems"]["vocals"], datetime.fromisoformat(job["finished_at"])
    assert datetime.fromisoformat(stem["expires_at"]) - datetime.now(UTC) <= timedelta(hours=1)
    assert datetime.fromisoformat(stem["kept_until"]) - ended == timedelta(days=7)


def test_the_first_eta_comes_with_the_first_segment(client: FlaskClient, parts: Services) -> None:
    job_id = submit(client, file=song()).json["id"]
    taken = parts.store.leases.take(job_id, "worker", 60)
    assert taken

    def eta() -> Any:
        return get(client, f"/v1/jobs/{job_id}").json["progress"]["eta_seconds"]

    parts.store.leases.heartbeat(taken[1], 60, 0.5, "fetching")  # a share of a download is none of the segments
    assert eta() is None
    parts.store.leases.heartbeat(taken[1], 60, 0.0, "separating")
    assert eta() is None
    parts.store.leases.heartbeat(taken[1], 60, 0.25, "separating", 30.0)
    assert 25 < eta() <= 30.1
    parts.store.leases.heartbeat(taken[1], 60, 0.5, "separating", -1.0)  # later than it was expected
    assert eta() == 0.0
    parts.store.leases.heartbeat(taken[1], 60, 1.0, "encoding")
    assert eta() is None


def test_a_request_that_comes_again_is_told_so(client: FlaskClient) -> None:
    def send() -> Any:
        data, headers = {"file": song()}, {"Idempotency-Key": "one"}
        return client.post("/v1/separations", data=data, content_type="multipart/form-data", headers=headers)

    first, second = send(), send()

    assert first.json["id"] == second.json["id"]
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in submit(client, file=song()).headers


@pytest.mark.parametrize("path", ["/v1/jobs:from-source", "/v1/separations:from-source"])
def test_a_source_has_a_call_of_its_own(client: FlaskClient, parts: Services, path: str) -> None:
    made = client.post(path, json={"source": {"url": "https://example.org/song.mp3"}, "stems": ["vocals"]})
    assert made.status_code == 201
    assert made.json["source_url"] == "https://example.org/song.mp3"  # type: ignore[index]
    client.delete(made.headers["Location"])

    form: Any = client.post(path, data={"file": song()}, content_type="multipart/form-data")
    assert refused(form, parts) == (415, "unsupported_media_type")
    assert refused(client.post(path, json={"stems": ["vocals"]}), parts) == (400, "missing_file")
    assert refused(client.post(path, json={"source": {"url": "x"}, "file": "x"}), parts) == (422, "invalid_fields")


def test_a_failed_job_says_why(client: FlaskClient, parts: Services) -> None:
    job_id = submit(client, file=song()).json["id"]
    taken = parts.store.leases.take(job_id, "worker", 60)
    assert taken
    parts.store.leases.fail(taken[1], "not_audio", "this is a letter")

    job = get(client, f"/v1/jobs/{job_id}").json
    assert (job["state"], job["error"]) == ("failed", {"code": "not_audio", "detail": "this is a letter"})
    assert [move["to"] for move in job["timeline"]] == ["queued", "running", "failed"]


def test_a_hostile_file_name_is_cleaned(client: FlaskClient) -> None:
    job = submit(client, file=song("../../etc/pass\u202ewd.mp3")).json

    assert job["filename"] == "passwd.mp3"


def test_a_request_id_is_echoed_where_it_is_harmless(client: FlaskClient) -> None:
    assert client.get("/healthz/live", headers={"X-Request-Id": "abc-1"}).headers["X-Request-Id"] == "abc-1"
    strange = client.get("/healthz/live", headers={"X-Request-Id": "a b<script>"}).headers["X-Request-Id"]
    assert strange.isalnum()


def test_a_bug_is_a_problem_without_a_traceback(
    client: FlaskClient, parts: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(job_id: str) -> None:
        raise RuntimeError("secret path /root")

    monkeypatch.setattr(parts.store, "view", explode)
    answer = get(client, "/v1/jobs/x")

    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")
    assert "secret" not in answer.text


def finish(parts: Services, job_id: str, outputs: dict[str, Any]) -> Lease:
    taken = parts.store.leases.take(job_id, "worker", 60)
    assert taken
    assert parts.store.leases.succeed(taken[1], {}, outputs)
    return taken[1]


def test_a_queued_job_can_be_canceled_and_stays_so(client: FlaskClient, parts: Services) -> None:
    job = submit(client, file=song()).json
    answer: Any = client.post(f"/v1/jobs/{job['id']}/cancel")

    assert (answer.status_code, answer.json["state"], answer.json["error"]) == (200, "canceled", None)
    assert parts.storage.keys("") == [f"jobs/{job['id']}/input"]  # for a retry
    assert parts.store.leases.take(job["id"], "worker", 60) is None
    again: Any = client.post(f"/v1/jobs/{job['id']}/cancel")
    assert (again.status_code, again.json) == (200, answer.json)


def test_a_job_that_has_ended_can_not_be_canceled(client: FlaskClient, parts: Services) -> None:
    job = submit(client, file=song()).json
    taken = parts.store.leases.take(job["id"], "worker", 60)
    assert taken is not None
    parts.store.leases.fail(taken[1], "not_audio", "no")

    answer: Any = client.post(f"/v1/jobs/{job['id']}/cancel")
    assert (answer.status_code, answer.json["code"]) == (409, "job_finished")


@pytest.mark.parametrize("state", ["queued", "running", "succeeded", "canceled"])
def test_a_deleted_job_leaves_nothing(client: FlaskClient, parts: Services, state: str) -> None:
    job = submit(client, file=song()).json
    if state in ("running", "succeeded"):
        taken = parts.store.leases.take(job["id"], "worker", 60)
        assert taken is not None
        parts.storage.put(f"{taken[1].prefix}/vocals.flac", io.BytesIO(b"la"), "audio/flac")
        if state == "succeeded":
            parts.store.leases.succeed(taken[1], {}, {"vocals": {"key": f"{taken[1].prefix}/vocals.flac"}})
    elif state == "canceled":
        client.post(f"/v1/jobs/{job['id']}/cancel")

    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert parts.storage.keys("") == []
    assert parts.store.recent() == []
    answer: Any = client.delete(f"/v1/jobs/{job['id']}")
    assert (answer.status_code, answer.json["code"]) == (404, "job_not_found")
    assert client.post(f"/v1/jobs/{job['id']}/cancel").status_code == 404


@pytest.mark.parametrize("job_id", ["..", "%2e%2e", ".", "%2e", "*", "%25", "..%2fobjects", "%00"])
def test_ids_that_are_none_delete_nothing(client: FlaskClient, parts: Services, job_id: str) -> None:
    job = submit(client, file=song()).json
    before = parts.storage.keys("")

    assert client.delete(f"/v1/jobs/{job_id}").status_code in (404, 405)
    assert client.post(f"/v1/jobs/{job_id}/cancel").status_code in (404, 405)
    assert parts.storage.keys("") == before != []
    assert client.get(f"/v1/jobs/{job['id']}").json["state"] == "queued"  # type: ignore[index]


def test_a_full_queue_is_429_with_a_time_to_come_back(app_settings: Settings) -> None:
    app = create_app(app_settings.model_copy(update={"max_waiting_per_pool": 1}))
    parts: Services = app.extensions["stemsvc"]
    with app.test_client() as client:
        first = submit(client, file=song())
        answer = submit(client, file=song())

    assert (first.status_code, answer.status_code, answer.json["code"]) == (201, 429, "queue_full")
    assert int(answer.headers["Retry-After"]) >= 1
    assert [job.id for job in parts.store.recent()] == [first.json["id"]]
    assert parts.storage.keys("") == [f"jobs/{first.json['id']}/input"]
    parts.close()


def test_a_disk_that_is_nearly_full_is_503_before_anything_is_stored(app_settings: Settings) -> None:
    app = create_app(app_settings.model_copy(update={"min_free_bytes": 1 << 60}))
    parts: Services = app.extensions["stemsvc"]
    with app.test_client() as client:
        answer = submit(client, file=song())
    assert refused(answer, parts) == (503, "storage_full")
    parts.close()


def test_a_request_with_a_key_is_answered_with_its_first_job(client: FlaskClient) -> None:
    def send(**fields: Any) -> Any:
        headers = {"Idempotency-Key": "my-1"}
        return client.post("/v1/jobs", data=fields, content_type="multipart/form-data", headers=headers)

    first, again = send(file=song()), send(file=song())
    other = send(file=song(), stems="vocals")

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert again.json == first.json
    assert again.headers["Location"] == first.headers["Location"]
    assert other.json["code"] == "idempotency_conflict"


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ü"])
def test_a_key_that_is_none_is_refused(client: FlaskClient, parts: Services, key: str) -> None:
    headers = {"Idempotency-Key": key}
    answer = client.post("/v1/jobs", data={"file": song()}, content_type="multipart/form-data", headers=headers)

    assert refused(answer, parts) == (400, "bad_idempotency_key")


def test_metadata_and_file_names_come_back(client: FlaskClient) -> None:
    given = {"album": 7, "who": ["é", None, {"deep": True}]}
    answer = submit(client, file=song(), metadata=json.dumps(given), filename_template="{stem} of {name}")

    assert answer.status_code == 201
    job = client.get(f"/v1/jobs/{answer.json['id']}").json
    assert job is not None
    assert job["metadata"] == given
    assert job["filename_template"] == "{stem} of {name}"


@pytest.mark.parametrize(
    "metadata",
    [
        "x",
        "3",
        "[1]",
        '"x"',
        "null",
        "{",
        '{"a": NaN}',
        "[" * 4000,
        '{"a":' * 600 + "1" + "}" * 600,
        '{"a": "' + "x" * 4096 + '"}',
        '{"a": 1e999}',
        '{"a": ["x\\u0000"]}',
        '{"\\u0000": 1}',
        '{"a": "\\ud800"}',
    ],
)
def test_metadata_that_is_no_small_object_is_refused(client: FlaskClient, parts: Services, metadata: str) -> None:
    answer = submit(client, file=song(), metadata=metadata)

    assert refused(answer, parts) == (422, "invalid_fields")
    assert "metadata" in answer.json["detail"]
