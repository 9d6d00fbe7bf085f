"""`POST /v1/generations`: a kind that needs no source."""

from __future__ import annotations

import io
from typing import Any

import pytest

from stemsvc.control.services import Services


def generate(client: Any, headers: dict[str, str] | None = None, **body: Any) -> Any:
    return client.post("/v1/generations", json=body, headers=headers or {})


def done(parts: Services, job_id: str) -> None:
    """A worker does the job."""
    taken = parts.store.leases.take(job_id, "worker", 60)
    assert taken is not None
    outputs = {}
    for name, type in (("mix", "audio/flac"), ("drums", "audio/flac"), ("score", "application/json")):
        key = f"{taken[1].prefix}/{name}.x"
        size = parts.storage.put(key, io.BytesIO(b"la la"), type)
        outputs[name] = {"key": key, "bytes": size, "content_type": type, "sha256": "0" * 64}
    assert parts.store.leases.succeed(taken[1], {"duration_seconds": 3.0}, outputs)


def test_words_alone_make_a_job_that_is_called_by_them(client: Any, parts: Services) -> None:
    answer = generate(client, prompt="a dark trap beat at 140", key="Cis-Moll", form=["verse", "chorus"])

    assert answer.status_code == 201, answer.json
    job = answer.json
    assert (job["kind"], job["state"], job["filename"]) == ("generate", "queued", "a dark trap beat at 140")
    assert (job["params"]["key"], job["params"]["form"], job["params"]["model"]) == (
        "C# minor", ["verse", "chorus"], "sketch",
    )  # fmt: skip
    assert client.get("/v1/jobs", query_string={"q": "trap"}).json["jobs"][0]["id"] == job["id"]
    kept = parts.store.get(job["id"])
    assert kept is not None
    assert kept.inputs == ()


def test_a_request_that_comes_again_makes_no_second_piece(client: Any) -> None:
    key = {"Idempotency-Key": "once"}
    first, second = (generate(client, key, prompt="jazz") for _ in range(2))

    assert first.json["id"] == second.json["id"]
    assert generate(client, key, prompt="jazz", seed=1).status_code == 409


def test_a_variation_takes_the_score_of_its_original(client: Any, parts: Services) -> None:
    original = generate(client, prompt="house").json["id"]
    done(parts, original)
    answer = generate(client, variation_of={"job_id": original}, change="drums")

    assert answer.status_code == 201, answer.json
    kept = parts.store.get(answer.json["id"])
    assert kept is not None
    assert [(each.role, each.from_output) for each in kept.inputs] == [("original", "score")]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"bpm": 20}, 422), ({"prompt": "at 300 bpm"}, 422), ({"genre": "polka"}, 422), ({"change": "drums"}, 422),
        ({"bpm": "140"}, 422), ({"source": {"url": "https://example.org/a.mp3"}}, 422), ({"key": "X"}, 422),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_refused(client: Any, body: dict[str, Any], status: int) -> None:
    answer = generate(client, **body)
    assert (answer.status_code, bool(answer.json["code"])) == (status, True)


def test_a_workflow_may_begin_with_words_in_place_of_a_source(client: Any, parts: Services) -> None:
    steps = [
        {"id": "make", "do": "generate", "with": {"prompt": "techno", "stems": True}},
        {"id": "loud", "do": "master", "with": {"preset": "club"}, "inputs": {"source": "make.mix"}},
    ]
    answer = client.post("/v1/workflows", json={"steps": steps})
    assert answer.status_code == 201, answer.json
    made, loud = (step["jobs"][0]["id"] for step in answer.json["steps"])
    done(parts, made)

    kept = parts.store.get(loud)
    assert kept is not None
    assert kept.inputs[0].from_output == "mix"

    steps[1]["inputs"] = {"source": "make.flute"}
    assert client.post("/v1/workflows", json={"steps": steps}).json["code"] == "bad_workflow"


def test_a_generator_whose_licence_nobody_accepted_is_refused_and_shown(client: Any) -> None:
    answer = generate(client, prompt="jazz", model="musicgen-small")
    assert (answer.status_code, answer.json["code"]) == (422, "licence_not_accepted")
    assert "STEMSVC_ACCEPT_LICENCES=CC-BY-NC-4.0" in answer.json["detail"]

    told = {each["name"]: each for each in client.get("/v1/models").json["generators"]}
    small = told["musicgen-small"]
    assert (small["licence"], small["forbids_commerce"], small["accepted"]) == ("CC-BY-NC-4.0", True, False)
    assert (small["hub"], small["pinned"], small["follows_melody"]) == ("facebook/musicgen-small", False, False)
    assert told["musicgen-melody"]["follows_melody"]


@pytest.mark.parametrize("model", ["", "sketch", "no_such_model"])
def test_a_melody_needs_a_model_that_follows_one(client: Any, model: str) -> None:
    answer = generate(client, model=model, melody={"url": "https://example.com/a.mp3"})
    assert (answer.status_code, answer.json["code"]) == (422, "bad_options")
