"""The whole way of songs through a workflow: sent, followed, saved; broken off; failed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from stemsvc_client import Client, StemsvcError, Timeout, WorkflowUpdate, codes

from tests.client.conftest import DROPPED, HURRIED, Call, Reply, World
from tests.client.test_running import CONTENT, event

ONE = "GET /v1/workflows/w1"
EVENTS = f"{ONE}/events"
STREAM = {"Content-Type": "text/event-stream"}
NOTHING = Reply(204, headers={"Content-Length": ""})


def workflow(state: str = "running", **more: Any) -> dict[str, Any]:
    """A workflow's body."""
    steps = [{"id": "split", "do": "separate", "state": "queued", "jobs": [{"id": "j1", "state": "queued"}]}]
    progress = {"fraction": 0.0, "jobs": 1, "ended": 0}
    return {"id": "w1", "state": state, "progress": progress, "steps": steps, "outputs": {}, **more}


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.flac"
    path.write_bytes(b"fLaC" * 1000)
    return path


@pytest.fixture
def service(world: World) -> World:
    """A service that does one workflow, and breaks its stream of events in the middle."""
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    files = {name: {"url": f"{world.url}/{name}", "filename": "song.flac", "sha256": sha256} for name in "ab"}
    outputs = {"split.vocals": files["a"], "again[0].vocals": files["b"]}
    half: dict[str, Any] = {
        "workflow_id": "w1",
        "state": "running",
        "progress": {"fraction": 0.5, "jobs": 1, "ended": 0, "eta_seconds": 9.1},
    }
    stream = event("state", 1, job_id="j1", step="split", to="running") + event("workflow", **half)
    place = {"upload_id": "u1", "url": f"{world.url}/put", "headers": {}}
    world.on("POST /v1/uploads", Reply(201, place))
    world.on("PUT /put", Reply(200))
    world.on("DELETE /v1/uploads/u1", NOTHING)
    world.on("POST /v1/workflows", DROPPED, Reply(201, workflow()))
    world.on(ONE, Reply(200, workflow()), Reply(200, workflow("succeeded", outputs=outputs, unheard_of=1)))
    world.on(
        EVENTS,
        Reply(200, body=stream + b"event: work", headers=STREAM, cut=len(stream)),
        Reply(200, body=event("state", 2, job_id="j1", step="split", to="succeeded"), headers=STREAM),
        NOTHING,
    )
    world.on("GET /a", Reply(200, body=CONTENT))
    world.on("GET /b", DROPPED, Reply(200, body=CONTENT))
    return world


def test_a_song_goes_through_a_recipe_in_one_call(service: World, call: Call, song: Path, tmp_path: Path) -> None:
    seen: list[WorkflowUpdate] = []
    made = call("run_recipe", "karaoke", song, format="mp3", output_dir=tmp_path / "out", on_progress=seen.append)

    first, second = service.calls("POST /v1/workflows")
    asked = {"source": {"upload_id": "u1"}, "recipe": "karaoke", "params": {"format": "mp3"}}
    assert json.loads(second.body) == json.loads(first.body) == asked
    assert second.headers["idempotency-key"] == first.headers["idempotency-key"]  # no second workflow
    assert len(service.calls("DELETE /v1/uploads/u1")) == 1
    # two files of one name: each gets its step's
    places = {"split.vocals": "split - song.flac", "again[0].vocals": "again[0] - song.flac"}
    assert made.paths == {name: tmp_path / "out" / path for name, path in places.items()}
    assert [path.read_bytes() for path in made.paths.values()] == [CONTENT] * 2
    assert made.workflow["unheard_of"] == 1
    stages = list(dict.fromkeys(each.stage for each in seen))
    assert stages == ["uploading", "running", "succeeded", "downloading", "done"]
    started = [each.workflow for each in seen if each.workflow]
    moved = [each.workflow for each in seen if each.workflow and each.workflow.progress.fraction == 0.5]
    assert (started[0].progress.eta_seconds, moved[0].progress.eta_seconds) == (None, 9.1)
    assert moved[0].steps[0].state == moved[0].steps[0].jobs[0].state == "running"
    assert [each.headers.get("last-event-id") for each in service.calls(EVENTS)] == [None, "1", "2"]


def test_a_graph_of_several_songs_names_what_the_service_has(service: World, call: Call, song: Path) -> None:
    steps = [{"id": "split", "do": "separate", "for_each": "sources"}]
    sources = [song, song, "https://example.org/a.mp3", {"job_id": "j9", "output": "vocals"}]
    started = call("start_workflow", steps, sources, outputs=["split"], priority="low", idempotency_key="once")

    assert (started.id, started.ended, started.steps[0].do) == ("w1", False, "separate")
    sent = service.calls("POST /v1/workflows")[-1]
    assert sent.headers["idempotency-key"] == "once"
    assert len(service.calls("PUT /put")) == 1  # a file that comes twice is sent once
    assert json.loads(sent.body) == {
        "sources": [{"upload_id": "u1"}] * 2
        + [{"url": "https://example.org/a.mp3"}, {"job_id": "j9", "output": "vocals"}],
        "outputs": ["split"],
        "priority": "low",
        "steps": steps,
    }


def test_where_streams_do_not_pass_polls_do(service: World, call: Call) -> None:
    service.on(EVENTS, Reply(503, {"code": "too_many_streams", "detail": "later"}, headers={"Retry-After": "60"}))
    assert call("wait_workflow", "w1").state == "succeeded"


def test_a_service_that_is_away_is_asked_again(service: World, call: Call) -> None:
    service.on(EVENTS, Reply(503, {"code": "too_many_streams", "detail": "later"}, headers={"Retry-After": "60"}))
    service.on(ONE, Reply(200, workflow()), DROPPED, Reply(503), Reply(200, workflow("canceled")))
    assert call("wait_workflow", "w1").state == "canceled"


@pytest.mark.parametrize(
    ("state", "error", "kind"),
    [
        ("failed", {"step": "split", "code": "not_audio", "detail": "a letter"}, codes.NotAudio),
        ("canceled", None, StemsvcError),
    ],
)
def test_a_workflow_that_fails_raises_its_error(
    service: World, call: Call, song: Path, tmp_path: Path, state: str, error: Any, kind: type[StemsvcError]
) -> None:
    service.on(ONE, Reply(200, workflow(state, error=error)))
    with pytest.raises(kind) as caught:
        call("run_workflow", [{"id": "split", "do": "separate"}], song, output_dir=tmp_path)

    assert caught.value.code == (error["code"] if error else state)
    assert caught.value.detail == ("step split: a letter" if error else "the workflow is canceled")
    assert caught.value.workflow is not None
    assert service.calls("POST /v1/workflows/w1/cancel") == []


@pytest.mark.parametrize("cancel", [True, False])
def test_a_call_that_is_broken_off_cancels_its_workflow(service: World, song: Path, cancel: bool) -> None:
    service.on("POST /v1/workflows/w1/cancel", DROPPED, Reply(200, workflow("canceled")))

    def interrupt(update: WorkflowUpdate) -> None:
        if update.workflow is not None:
            raise KeyboardInterrupt

    with Client(service.url, retry=HURRIED) as client, pytest.raises(KeyboardInterrupt):
        client.run_recipe("karaoke", song, on_progress=interrupt, cancel=cancel)
    assert len(service.calls("POST /v1/workflows/w1/cancel")) == 2 * cancel


def test_a_workflow_that_takes_too_long_is_told_and_canceled(service: World, call: Call, song: Path) -> None:
    service.on(ONE, Reply(200, workflow()))
    service.on(EVENTS, Reply(200, body=event("progress", fraction=0.1), headers=STREAM))
    service.on("POST /v1/workflows/w1/cancel", Reply(200, workflow("canceled")))
    with pytest.raises(Timeout):
        call("run_recipe", "karaoke", song, timeout=0.3)
    assert len(service.calls("POST /v1/workflows/w1/cancel")) == 1


def test_each_call_is_one_request(service: World, call: Call) -> None:
    service.on("POST /v1/workflows/w1/retry", DROPPED, Reply(201, workflow(retry_of="w0")))
    service.on("DELETE /v1/workflows/w1", DROPPED, Reply(404, {"code": "workflow_not_found", "detail": "gone"}))
    service.on("GET /v1/workflows", Reply(200, {"workflows": [workflow()], "next_cursor": None}))
    recipe = {"name": "karaoke", "params": {"format": {"type": "choice", "choices": ["mp3"], "default": "mp3"}}}
    service.on("GET /v1/recipes", Reply(200, {"recipes": [recipe]}))
    service.on("GET /v1/workers", Reply(200, {"workers": [{"id": "w", "steps": [{"job_id": "j1", "step": "split"}]}]}))
    service.on("POST /v1/workflows:plan", Reply(200, {"steps": [{"step": "split", "pool": "p"}], "total_seconds": 3.5}))

    assert call("retry_workflow", "w1").retry_of == "w0"
    again = service.calls("POST /v1/workflows/w1/retry")
    assert again[0].headers["idempotency-key"] == again[1].headers["idempotency-key"]
    assert call("delete_workflow", "w1") is None  # the first try did it
    assert [each.id for each in call("workflows", state=["running"])] == ["w1"]
    assert call("recipes")[0].params["format"].choices == ("mp3",)
    assert call("workers")[0].steps[0].step == "split"
    plan = call("plan_workflow", recipe="karaoke", seconds=[3.0])
    assert (plan.steps[0].pool, plan.total_seconds) == ("p", 3.5)
    assert json.loads(service.calls("POST /v1/workflows:plan")[0].body) == {"recipe": "karaoke", "seconds": [3.0]}
    assert [each.event for each in call("follow_workflow", "w1")] == ["state", "workflow", "state"]


def test_what_an_output_is_called_leads_nowhere_else(service: World, call: Call, song: Path, tmp_path: Path) -> None:
    bad = {"url": f"{service.url}/a", "filename": "../../evil.flac"}
    service.on(ONE, Reply(200, workflow("succeeded", outputs={"split.vocals": bad})))
    made = call("run_recipe", "karaoke", song, output_dir=tmp_path / "out")
    assert list(made.paths.values()) == [tmp_path / "out" / "evil.flac"]
