"""`POST /v1/mixes`: a kind with several inputs, by JSON and by a multipart form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stemsvc.control.services import Services
from tests.api.views.test_job_outputs import separated
from tests.api.views.test_jobs import refused, song
from tests.api.views.test_keys import code
from tests.api.views.test_retry import failed, retry
from tests.api.views.test_sources import URL, upload


def mix(client: Any, **body: Any) -> Any:
    return client.post("/v1/mixes:from-source", json=body)


def by_form(client: Any, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    fields = {name: json.dumps(value) if isinstance(value, list) else value for name, value in fields.items()}
    return client.post("/v1/mixes", data=fields, headers=headers, content_type="multipart/form-data")


def test_tracks_come_from_everywhere(client: Any, parts: Services) -> None:
    earlier, place = separated(client, parts), upload(client, b"la la", filename="pad.wav")
    tracks = [
        {"source": {"job_id": earlier, "output": "drums"}, "gain_db": -3, "eq": {"low": 2.5}},
        {"source": {"upload_id": place["upload_id"]}, "pan": 0.25, "sidechain": {"from": "drums"}},
        {"source": {"url": URL}, "mute": True},
    ]
    answer = mix(client, tracks=tracks, normalise=True, format="wav", bit_depth="float32", metadata={"a": 1})

    assert answer.status_code == 201, answer.json
    job = answer.json
    assert (job["kind"], job["pool"], job["filename"], job["metadata"]) == (
        "mix",
        "fetch",
        "Song - drums.wav",
        {"a": 1},
    )
    first, second, third = job["params"]["tracks"]
    assert (first["name"], first["gain_db"], first["eq"]) == ("drums", -3, {"low": 2.5, "mid": 0, "high": 0})
    assert (second["pan"], second["sidechain"]["from"], third["mute"]) == (0.25, "drums", True)
    assert "source" not in first
    kept = parts.store.get(job["id"])
    assert kept is not None
    assert [each.role for each in kept.inputs] == ["track"] * 3
    assert [(each.from_output, bool(each.upload_id), each.url) for each in kept.inputs] == [
        ("drums", False, ""),
        ("", True, ""),
        ("", False, URL),
    ]


def test_a_whole_job_becomes_a_track_for_each_of_its_files(client: Any, parts: Services) -> None:
    earlier = separated(client, parts)
    job = mix(client, tracks=[{"source": {"job_id": earlier}, "gain_db": -6}]).json

    assert [(each["name"], each["gain_db"]) for each in job["params"]["tracks"]] == [("vocals", -6), ("drums", -6)]
    kept = parts.store.get(job["id"])
    assert kept is not None
    assert [each.from_output for each in kept.inputs] == ["vocals", "drums"]
    again = retry(client, failed(parts, job["id"])).json
    assert again["params"] == job["params"]


def test_a_form_s_sources_name_its_parts(client: Any, parts: Services) -> None:
    tracks = [{"source": {"file": "a"}}, {"source": {"file": "b"}, "gain_db": 2}, {"source": {"file": "a"}, "pan": 1}]
    job = by_form(client, tracks=tracks, a=song("a.wav", b"AAAA"), b=song("b.wav", b"BB"), normalise="true").json

    kept = parts.store.get(job["id"])
    assert kept is not None
    assert [(each.name, each.bytes) for each in kept.inputs] == [("a.wav", 4), ("b.wav", 2), ("a.wav", 4)]
    assert (job["params"]["normalise"], job["params"]["tracks"][1]["gain_db"]) == (True, 2)


def test_a_form_is_the_same_request_only_with_the_same_parts(client: Any) -> None:
    key = {"Idempotency-Key": "one"}

    def sent(data: bytes) -> Any:
        tracks = [{"source": {"file": "a"}}, {"source": {"file": "b"}}]
        return by_form(client, key, tracks=tracks, a=song("a.wav", b"A"), b=song("b.wav", data))

    first = sent(b"B")
    assert sent(b"B").json["id"] == first.json["id"]
    assert code(sent(b"C")) == (409, "idempotency_conflict")


@pytest.mark.parametrize(
    ("tracks", "found"),
    [
        ([{"source": {"file": "a"}}], (400, "too_many_files")),
        ([{"source": {"file": "a"}}, {"source": {"file": "b"}}, {"source": {"file": "c"}}], (400, "missing_file")),
        ([{"source": {"file": "a"}}, {"source": {"file": "empty"}}], (400, "empty_file")),
        ([{"source": {"file": "a"}}, {"source": {"file": "b"}, "gain_db": 200}], (422, "bad_options")),
        ([{"source": {"file": "a"}}, {"source": {"file": "b"}, "gain": 1}], (422, "invalid_fields")),
        ([{"source": {"file": "a"}}, {}], (422, "invalid_fields")),
        ([], (422, "invalid_fields")),
        ("[", (422, "invalid_fields")),
        ("7", (422, "invalid_fields")),
    ],
)
def test_what_no_form_can_be_leaves_nothing(client: Any, parts: Services, tracks: Any, found: tuple[int, str]) -> None:
    files: dict[str, Any] = {"a": song("a.wav"), "b": song("b.wav")}
    if any("empty" in str(each) for each in tracks):
        files = {"a": song("a.wav"), "empty": song("b.wav", b"")}
    assert refused(by_form(client, tracks=tracks, **files), parts) == found


@pytest.mark.parametrize(
    "body",
    [
        {"tracks": [{"source": {"upload_id": "a"}, "gain_db": "1"}]},
        {"tracks": [{"source": {"upload_id": "a"}, "solo": 1}]},
        {"tracks": [{"source": {"upload_id": "a", "url": URL}}]},
        {"tracks": [{"source": "a"}]},
        {"tracks": {"source": {"upload_id": "a"}}},
        {"tracks": [{"source": {"upload_id": "a"}}] * 101},
        {"source": {"upload_id": "a"}},
        {},
    ],
)
def test_json_of_other_types_is_refused(client: Any, parts: Services, body: dict[str, Any]) -> None:
    assert refused(mix(client, **body), parts) == (422, "invalid_fields")


def test_a_part_that_is_too_large_is_refused(client: Any, parts: Services) -> None:
    tracks = [{"source": {"file": "a"}}, {"source": {"file": "b"}}]
    answer = by_form(client, tracks=tracks, a=song("a.wav"), b=song("b.wav", b"x" * 100_001))
    assert refused(answer, parts) == (413, "file_too_large")


def test_a_separation_takes_one_part_as_ever(client: Any, parts: Services) -> None:
    for fields in ({"file": song(), "b": song()}, {"source": '{"file": "b"}', "b": song()}):
        answer = client.post("/v1/separations", data=fields, content_type="multipart/form-data")
        assert refused(answer, parts) == (422, "invalid_fields")


def test_the_description_has_both_bodies(client: Any) -> None:
    document = client.get("/openapi.json").json
    schemas = document["components"]["schemas"]

    form, body = schemas["MixForm"], schemas["MixRequest"]
    assert (form["required"], form["properties"]["tracks"]["type"]) == (["tracks"], "string")
    assert body["properties"]["tracks"]["items"] == {"$ref": "#/components/schemas/TrackForm"}
    assert (body["required"], body["additionalProperties"]) == (["tracks"], False)
    assert "file" not in {*body["properties"], *form["properties"], *schemas["SourceForm"]["properties"]}
    assert schemas["TrackForm"]["properties"]["source"] == {"$ref": "#/components/schemas/SourceForm"}
    example = document["paths"]["/v1/mixes:from-source"]["post"]["requestBody"]["content"]["application/json"][
        "example"
    ]
    assert "tracks" in example
