"""`POST /v1/transcriptions` and `POST /v1/exports`: one track or several, by JSON and by a multipart form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stemsvc.control.services import Services
from tests.api.views.test_job_outputs import separated
from tests.api.views.test_jobs import song
from tests.api.views.test_keys import code
from tests.api.views.test_retry import failed, retry
from tests.api.views.test_sources import URL, upload


def by_json(client: Any, noun: str, **body: Any) -> Any:
    return client.post(f"/v1/{noun}:from-source", json=body)


def by_form(client: Any, noun: str, **fields: Any) -> Any:
    fields = {name: json.dumps(value) if isinstance(value, list) else value for name, value in fields.items()}
    return client.post(f"/v1/{noun}", data=fields, content_type="multipart/form-data")


def inputs(parts: Services, job: dict[str, Any]) -> list[tuple[str, str]]:
    kept = parts.store.get(job["id"])
    assert kept is not None
    return [(each.role, each.from_output or each.url or each.name) for each in kept.inputs]


def test_a_whole_separation_is_one_source(client: Any, parts: Services) -> None:
    earlier = separated(client, parts)
    job = by_json(client, "transcriptions", source={"job_id": earlier}, quantise="1/16", stems="vocals,drums").json

    assert job["kind"] == "transcribe"
    assert inputs(parts, job) == [("source", "vocals"), ("source", "drums")]
    assert (job["params"]["quantise"], job["params"]["stems"]) == ("1/16", ["vocals", "drums"])
    assert retry(client, failed(parts, job["id"])).json["params"] == job["params"]


@pytest.mark.parametrize("noun", ["transcriptions", "exports"])
def test_tracks_come_from_everywhere(client: Any, parts: Services, noun: str) -> None:
    earlier, place = separated(client, parts), upload(client, b"la la", filename="pad.wav")
    sources = [{"job_id": earlier, "output": "drums"}, {"upload_id": place["upload_id"]}, {"url": URL}]
    job = by_json(client, noun, sources=sources).json

    assert inputs(parts, job) == [("source", "drums"), ("source", "pad.wav"), ("source", URL)]


def test_an_export_takes_the_song_and_its_analysis_beside_the_stems(client: Any, parts: Services) -> None:
    place, facts = upload(client, b"la la", filename="song.wav"), upload(client, b"{}", filename="analysis.json")
    earlier = separated(client, parts)
    body = {"mixture": {"upload_id": place["upload_id"]}, "analysis": {"upload_id": facts["upload_id"]}}
    job = by_json(
        client, "exports", source={"job_id": earlier}, targets="reaper,stem.mp4", names=["A, b", "C"], **body
    ).json

    found = inputs(parts, job)
    assert found == [("source", "vocals"), ("source", "drums"), ("mixture", "song.wav"), ("analysis", "analysis.json")]
    assert (job["params"]["targets"], job["params"]["names"]) == (["reaper", "stem.mp4"], ["A, b", "C"])


@pytest.mark.parametrize("noun", ["transcriptions", "exports"])
def test_a_form_has_one_file_or_several_parts(client: Any, parts: Services, noun: str) -> None:
    one = by_form(client, noun, file=song("bass.wav", b"A")).json
    several = by_form(
        client, noun, sources=[{"file": "a"}, {"file": "b"}], a=song("a.wav", b"A"), b=song("b.wav", b"B")
    ).json

    assert inputs(parts, one) == [("source", "bass.wav")]
    assert inputs(parts, several) == [("source", "a.wav"), ("source", "b.wav")]


@pytest.mark.parametrize(
    ("noun", "body", "wanted"),
    [
        ("transcriptions", {"sources": [{"url": URL}] * 17}, (422, "bad_inputs")),
        ("transcriptions", {"source": {"url": URL}, "quantise": "1/7"}, (422, "bad_options")),
        ("transcriptions", {"source": {"url": URL}, "stems": "kazoo"}, (422, "bad_options")),
        ("transcriptions", {"source": {"job_id": "none"}}, (404, "job_not_found")),
        ("exports", {"source": {"url": URL}, "targets": "logic"}, (422, "bad_options")),
        ("exports", {"source": {"url": URL}, "names": ["two\nlines"]}, (422, "bad_options")),
        ("exports", {"source": {"url": URL}, "bpm": 1e9}, (422, "bad_options")),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(
    client: Any, noun: str, body: dict[str, Any], wanted: tuple[int, str]
) -> None:
    assert code(by_json(client, noun, **body)) == wanted


def test_an_output_that_the_job_lacks_is_named(client: Any, parts: Services) -> None:
    source = {"job_id": separated(client, parts), "output": "kazoo"}
    assert code(by_json(client, "transcriptions", source=source)) == (422, "unknown_output")
