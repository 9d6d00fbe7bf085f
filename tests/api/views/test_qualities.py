"""Jobs that say what they want in place of a model, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from stemsvc.control.services import Services
from stemsvc.jobstore.workers import Worker
from tests.api.views.test_jobs import song, submit

OURS = """
presets:
  best: {summary: ours, options: [{model: demo, stems: [vocals], overlap: 0.5}]}
  demo_only: {summary: for trying it out, options: [{model: demo}]}
"""


def accepted(job: Any) -> str:
    return str(job["timeline"][0]["why"])


def test_a_quality_becomes_a_model_and_the_timeline_says_why(client: FlaskClient, parts: Services) -> None:
    job: Any = submit(client, file=song(), quality="best").json

    assert (job["model"], job["params"]["quality"], job["pool"]) == ("htdemucs_ft", "best", "separate.htdemucs_ft.cpu")
    why, _, pool = accepted(job).partition("; device auto: ")
    slow = "9 s of a CPU for each second of a track: name it to get it"
    assert (why, bool(pool)) == (f"accepted; quality best: htdemucs_ft; not roformer_ft: {slow}", True)
    kept, usual = parts.store.get(job["id"]), parts.store.get(str(submit(client, file=song()).json["id"]))
    assert kept is not None
    assert usual is not None
    assert kept.cost > 3 * usual.cost
    assert [submit(client, file=song(), model="karaoke").json[name] for name in ("model",)] == ["mdx_kara_2"]


def test_stems_choose_a_model_that_has_them(client: FlaskClient) -> None:
    job: Any = submit(client, file=song(), stems="vocals,drums,guitar").json

    assert (job["model"], job["params"]["stems"]) == ("htdemucs_6s", ["drums", "vocals", "guitar"])
    assert "htdemucs_6s is the cheapest model that has them, htdemucs lacks guitar" in accepted(job)


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"quality": "great"}, "unknown_preset", "fast, balanced, best"),
        ({"quality": "dereverb"}, "model_unserved", "stemsvc models add"),
        ({"quality": "best", "model": "htdemucs"}, "bad_options", "name one of them"),
        ({"quality": "best", "device": "cuda"}, "model_unserved", "not htdemucs_ft: no pool serves it on cuda"),
        ({"quality": "fast", "stems": "vocals,kazoo"}, "unknown_stem", "no model of the catalog has 'kazoo'"),
    ],
)
def test_what_can_t_be_served_is_refused_with_what_to_add(
    client: FlaskClient, fields: dict[str, str], code: str, words: str
) -> None:
    answer = submit(client, file=song(), **fields)
    problem: Any = answer.json

    assert (answer.status_code, problem["code"]) == (422, code)
    assert words in problem["detail"]


def test_pools_decide_what_a_quality_is_and_the_models_say_so(app_with: Callable[..., Any]) -> None:
    client = app_with(pools="demo:cpu,htdemucs:cpu")
    job = submit(client, file=song(), quality="best").json
    told = client.get("/v1/models").json
    presets = {each["name"]: each for each in told["presets"]}

    assert (job["model"], job["params"]["shifts"]) == ("htdemucs", 2)
    assert "quality best: htdemucs; not roformer_ft: no pool serves it; not htdemucs_ft: no pool serves" in accepted(
        job
    )
    assert list(presets) == ["fast", "balanced", "best", "vocals", "karaoke", "dereverb"]
    assert (presets["best"]["model"], presets["karaoke"]["stems"]) == ("htdemucs", ["vocals", "minus_vocals"])
    assert (presets["dereverb"]["model"], presets["dereverb"]["stems"]) == (None, [])
    models = {each["name"]: each for each in told["models"]}
    assert (models["htdemucs"]["family"], models["htdemucs"]["lacking"]) == ("htdemucs", None)
    assert models["htdemucs_6s"]["lacking"] == "no pool serves it"
    assert models["htdemucs_ft"]["sdr"]["db"] == 9.0
    assert models["htdemucs_ft"]["sdr"]["source"].startswith("https://github.com/adefossez/demucs")
    assert models["htdemucs"]["sdr"] is None
    small = app_with(pools="htdemucs:cpu:1000M,htdemucs_6s:cpu:2G")
    assert "not htdemucs: it needs 1200 MB, its pools have 1000" in accepted(
        submit(small, file=song(), quality="fast").json
    )


def test_a_slow_model_is_for_cards_and_for_who_names_it(app_with: Callable[..., Any]) -> None:
    client = app_with(pools="mel_roformer_kim:cuda,mel_roformer_kim:cpu,roformer_ft:cpu,htdemucs_ft:cpu")
    told = client.get("/v1/models").json
    best, singing = (submit(client, file=song(), quality=quality).json["model"] for quality in ("best", "vocals"))

    assert (best, singing) == ("htdemucs_ft", "mel_roformer_kim")
    assert submit(client, file=song(), quality="vocals", device="cpu").json["model"] == "htdemucs_ft"
    assert submit(client, file=song(), model="roformer_ft").json["pool"] == "separate.roformer_ft.cpu"
    assert {each["name"]: each["model"] for each in told["presets"]}["vocals"] == "mel_roformer_kim"
    assert {each["name"]: each["lacking"] for each in told["models"]}["roformer_ft"] is None


def test_an_operator_s_presets_replace_ours_and_add_to_them(app_with: Callable[..., Any], tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text(OURS)
    client = app_with(catalog=catalog, pools="demo:cpu")
    job = submit(client, file=song(), quality="best").json

    assert (job["model"], job["params"]["stems"], job["params"]["overlap"]) == ("demo", ["vocals"], 0.5)
    assert submit(client, file=song(), quality="demo_only").json["model"] == "demo"
    refused = submit(client, file=song(), quality="fast").json
    assert "not htdemucs: no pool serves it; not htdemucs_6s: no pool serves it" in refused["detail"]


def test_weights_that_no_worker_can_have_are_passed_over(client: FlaskClient, parts: Services) -> None:
    pools = tuple(pool.name for pool in parts.pools)
    for name, lacking in (("one", {"htdemucs_ft": "offline", "htdemucs": "offline"}), ("two", {"htdemucs_ft": "gone"})):
        parts.store.workers.beat(Worker(name, pools, "cpu", "a CPU", kinds=("separate",)), 60)
        parts.store.processes.report(name, "worker", {"lacking": lacking}, 60)

    job: Any = submit(client, file=song(), quality="best").json
    assert (job["model"], "not htdemucs_ft: offline" in accepted(job)) == ("htdemucs", True)
    parts.store.workers.leave("two")
    assert submit(client, file=song(), quality="fast").json["model"] == "htdemucs_6s"
    assert submit(client, file=song()).json["model"] == "htdemucs"


def test_a_request_that_comes_again_is_the_same_though_its_model_would_be_another(
    client: FlaskClient, parts: Services
) -> None:
    key = {"headers": {"Idempotency-Key": "one"}}
    first: Any = client.post("/v1/jobs", data={"file": song(), "quality": "best"}, **key).json
    parts.store.workers.beat(Worker("w", tuple(pool.name for pool in parts.pools), "cpu", "a CPU"), 60)
    parts.store.processes.report("w", "worker", {"lacking": {"htdemucs_ft": "offline"}}, 60)

    again: Any = client.post("/v1/jobs", data={"file": song(), "quality": "best"}, **key).json
    other: Any = client.post("/v1/jobs", data={"file": song(), "quality": "fast"}, **key)
    assert (again["id"], again["model"]) == (first["id"], "htdemucs_ft")
    assert other.json["code"] == "idempotency_conflict"
