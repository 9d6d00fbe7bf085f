"""The whole way of a song: sent, followed, saved; broken off; failed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from stemsvc_client import AsyncClient, Client, StemsvcError, Timeout, Update, codes
from stemsvc_client import running as running_module

from tests.client.conftest import DROPPED, HURRIED, Asked, Call, Reply, World, job

CONTENT = b"fLaC stems" * 1000
EVENTS = "GET /v1/jobs/j1/events"


def event(name: str, number: int = 0, **data: Any) -> bytes:
    head = f"id: {number}\n" if number else ""
    return f"retry: 2000\n\n: here\n\n{head}event: {name}\ndata: {json.dumps(data)}\n\n".encode()


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.flac"
    path.write_bytes(b"fLaC" * 1000)
    return path


@pytest.fixture
def service(world: World) -> World:
    """A service that separates one song, and breaks its stream of events in the middle."""
    file = {
        "url": f"{world.url}/vocals",
        "filename": "song - vocals.flac",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "loudness_lufs": -14.5,
    }
    ended = job("succeeded", files={"vocals": file}, warnings=[{"code": "cut", "detail": "short"}], unheard_of={"x": 1})
    stream = event("state", 1, to="queued") + event("progress", fraction=0.5, stage="separating", eta_seconds=2.0)
    world.on("POST /v1/jobs", Reply(201, job()))
    world.on("GET /v1/jobs/j1", Reply(200, job()), Reply(200, ended))
    world.on(
        EVENTS,
        Reply(200, body=stream, headers={"Content-Type": "text/event-stream"}, cut=len(stream) - 5),
        Reply(200, body=event("state", 2, to="succeeded"), headers={"Content-Type": "text/event-stream"}),
        Reply(204, headers={"Content-Length": ""}),
    )
    world.on("GET /vocals", Reply(200, body=CONTENT))
    return world


def test_a_song_becomes_stems_in_one_call(service: World, call: Call, song: Path, tmp_path: Path) -> None:
    seen: list[Update] = []
    made = call("run", song, stems=["vocals"], output_dir=tmp_path / "out", on_progress=seen.append)

    assert made.paths == {"vocals": tmp_path / "out" / "song - vocals.flac"}
    assert made.paths["vocals"].read_bytes() == CONTENT
    assert made.job.files["vocals"].loudness_lufs == -14.5
    assert [(each.code, each.detail) for each in made.job.warnings] == [("cut", "short")]
    assert made.job["unheard_of"] == {"x": 1}
    assert made.job.model == ""  # which this service does not say
    stages = list(dict.fromkeys(each.stage for each in seen))
    assert stages == ["uploading", "queued", "succeeded", "downloading", "done"]
    assert {each.song for each in seen} == {"song.flac"}
    assert [each.headers.get("last-event-id") for each in service.calls(EVENTS)] == [None, "1", "2"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["song - vocals.flac"]


def test_without_a_listener_one_long_poll_is_enough(service: World, call: Call, song: Path, tmp_path: Path) -> None:
    call("run", song, output_dir=tmp_path)

    assert service.calls(EVENTS) == []
    assert [each.headers["prefer"] for each in service.calls("GET /v1/jobs/j1")] == ["wait=30"] * 2


def test_where_streams_do_not_pass_polls_do(service: World, call: Call, song: Path, tmp_path: Path) -> None:
    service.on(EVENTS, Reply(503, {"code": "too_many_streams", "detail": "later"}, headers={"Retry-After": "60"}))
    assert call("run", song, output_dir=tmp_path, on_progress=lambda update: None).paths


def test_a_large_song_goes_straight_to_storage(
    service: World, call: Call, song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_module, "FORM_BYTES", 1000)
    place = {"upload_id": "u1", "url": f"{service.url}/put?signature=1", "headers": {"Content-Type": "x/y"}}
    service.on("POST /v1/uploads", DROPPED, Reply(201, place))
    service.on("PUT /put", Reply(503), Reply(500), Reply(200))
    service.on("DELETE /v1/uploads/u1", Reply(204, headers={"Content-Length": ""}))
    call("run", song, output_dir=tmp_path, name="other.flac", key="k")

    assert json.loads(service.calls("POST /v1/uploads")[0].body) == {"filename": "other.flac", "bytes": 4000}
    puts = service.calls("PUT /put")
    assert [each.body for each in puts] == [song.read_bytes()] * 3
    assert [each.headers["content-type"] for each in puts] == ["x/y"] * 3
    assert all("authorization" not in each.headers and "transfer-encoding" not in each.headers for each in puts)
    assert json.loads(service.calls("POST /v1/jobs")[0].body) == {"source": {"upload_id": "u1"}}
    assert len(service.calls("DELETE /v1/uploads/u1")) == 1


@pytest.mark.parametrize(
    ("state", "error", "kind"),
    [("failed", {"code": "not_audio", "detail": "a letter"}, codes.NotAudio), ("canceled", None, StemsvcError)],
)
def test_a_job_that_fails_raises_its_error(
    service: World, call: Call, song: Path, tmp_path: Path, state: str, error: Any, kind: type[StemsvcError]
) -> None:
    service.on("GET /v1/jobs/j1", Reply(200, job(state, error=error)))
    with pytest.raises(kind) as caught:
        call("run", song, output_dir=tmp_path)

    assert caught.value.code == (error["code"] if error else state)
    assert caught.value.job is not None
    assert service.calls("POST /v1/jobs/j1/cancel") == []


@pytest.mark.parametrize("cancel", [True, False])
def test_a_call_that_is_broken_off_cancels_its_job(service: World, song: Path, tmp_path: Path, cancel: bool) -> None:
    service.on("POST /v1/jobs/j1/cancel", DROPPED, Reply(200, job("canceled")))

    def interrupt(update: Update) -> None:
        if update.stage == "queued" and update.job is not None and service.calls("GET /v1/jobs/j1"):
            raise KeyboardInterrupt

    with Client(service.url, retry=HURRIED) as client, pytest.raises(KeyboardInterrupt):
        client.run(song, output_dir=tmp_path, on_progress=interrupt, cancel=cancel)
    assert len(service.calls("POST /v1/jobs/j1/cancel")) == 2 * cancel


def test_a_task_that_is_canceled_cancels_its_job(service: World, song: Path, tmp_path: Path) -> None:
    service.on("POST /v1/jobs/j1/cancel", Reply(200, job("canceled")))
    came, held = threading.Event(), threading.Event()

    def hold(asked: Asked) -> Reply:
        came.set()
        held.wait(20)
        return DROPPED

    service.on("GET /v1/jobs/j1", hold)

    async def run() -> None:
        async with AsyncClient(service.url, retry=HURRIED) as client:
            task = asyncio.ensure_future(client.run(song, output_dir=tmp_path))
            await asyncio.to_thread(came.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())
    held.set()
    assert len(service.calls("POST /v1/jobs/j1/cancel")) == 1


def test_a_job_that_takes_too_long_is_told_and_canceled(service: World, call: Call, song: Path, tmp_path: Path) -> None:
    service.on("GET /v1/jobs/j1", Reply(200, job("running")))
    service.on("POST /v1/jobs/j1/cancel", Reply(200, job("canceled")))
    with pytest.raises(Timeout):
        call("run", song, output_dir=tmp_path, timeout=0.3)
    assert len(service.calls("POST /v1/jobs/j1/cancel")) == 1


def test_listeners_of_the_asynchronous_client_may_wait(service: World, song: Path, tmp_path: Path) -> None:
    seen: list[str] = []

    async def listen(update: Update) -> None:
        await asyncio.sleep(0)
        seen.append(update.stage)

    async def run() -> None:
        async with AsyncClient(service.url, retry=HURRIED) as client:
            await client.run(song, output_dir=tmp_path, on_progress=listen)

    asyncio.run(run())
    assert seen[-1] == "done"


def test_events_are_iterated_over_once_each(service: World, call: Call) -> None:
    seen = [(each.event, each.id) for each in call("events", "j1")]
    assert seen == [("state", "1"), ("state", "2")]


def test_pages_are_one_list(world: World, call: Call) -> None:
    world.on(
        "GET /v1/jobs",
        Reply(200, {"jobs": [{"id": "a"}, {"id": "b"}], "next_cursor": "c1"}),
        Reply(200, {"jobs": [{"id": "c"}], "next_cursor": None}),
    )
    assert [each.id for each in call("jobs", state=["queued", "running"], limit=2)] == ["a", "b", "c"]
    first, second = world.asked
    assert first.path == "/v1/jobs?state=queued&state=running&limit=2"
    assert second.path.endswith("&cursor=c1")
