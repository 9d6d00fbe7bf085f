"""The proof of the seam: a package that is not ours adds a kind, and everything that jobs have, its jobs have.

`tests/plugin` is installed into a fresh environment; nothing of ours knows its name.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import numpy as np
import pytest

from stemsvc.embedded.ports import free_port
from stemsvc.embedded.processes import StackProcess
from tests.processes import plain_environment, wait_for
from tests.sounds import tone, write_sound
from workers.audio.decode import Limits, decode

PLUGIN = Path(__file__).parents[1] / "plugin"
RATE = 22050
PASSWORD = "seen"


@dataclass
class World:
    """A running stack over the fresh environment, and a site that serves songs and takes webhooks."""

    python: str
    url: str
    metrics: int
    flower: str
    site: str
    told: list[dict[str, Any]]
    song: Path
    data: Path

    def send(self, path: str = "reversals", **fields: Any) -> dict[str, Any]:
        with self.song.open("rb") as file:
            answer = httpx.post(f"{self.url}/v1/{path}", data=fields, files={"file": file}, timeout=30)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.url}/v1/jobs/{job_id}", timeout=30).json()
        return found

    def ended(self, job_id: str) -> dict[str, Any]:
        wait_for("the job's end", lambda: self.job(job_id)["state"] not in ("queued", "running"), 90)
        return self.job(job_id)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment that has the plugin beside what this one has."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = str(folder / "venv" / "bin" / "python")
    found = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    mine = sysconfig.get_path("purelib")
    (Path(found.stdout.strip()) / "ours.pth").write_text(f"import site; site.addsitedir({mine!r})\n")
    shutil.copytree(PLUGIN, folder / "plugin")  # a build leaves its traces beside the sources
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
        "--disable-pip-version-check",
        str(folder / "plugin"),
    ]
    subprocess.run(command, check=True)
    return python


@pytest.fixture(scope="module")
def world(fresh: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    song = write_sound(
        folder / "song.flac", tone(3.0, RATE) * np.linspace(0, 1, 3 * RATE, dtype=np.float32)[:, None], RATE
    )
    told: list[dict[str, Any]] = []

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "audio/flac")
            self.end_headers()
            self.wfile.write(song.read_bytes())

        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    Thread(target=server.serve_forever, daemon=True).start()
    port, metrics, flower = free_port(), free_port(), free_port()
    environment = plain_environment(
        STEMSVC_DATA_DIR=str(folder / "data"),
        STEMSVC_API_PORT=str(port),
        STEMSVC_POOLS="reverse:cpu,demo:cpu",
        STEMSVC_CONCURRENCY="1",
        STEMSVC_API_PROCESSES="1",
        STEMSVC_METRICS_PORT=str(metrics),
        STEMSVC_FLOWER_PORT=str(flower),
        STEMSVC_FLOWER_PASSWORD=PASSWORD,
        STEMSVC_ALLOWED_NETWORKS="127.0.0.0/8",
        STEMSVC_DISPATCH_INTERVAL_SECONDS="0.3",
        STEMSVC_RETRY_BASE_SECONDS="0.1",
        STEMSVC_OFFLINE="true",
    )
    stack = StackProcess("up", [fresh, "-m", "stemsvc", "up"], environment, folder / "up.log")
    stack.start()
    url = f"http://127.0.0.1:{port}"

    def pools() -> bool:
        assert stack.dead() is None, stack.tail()
        try:
            found = httpx.get(f"{url}/v1/pools", timeout=5).raise_for_status().json()["pools"]
        except httpx.HTTPError:
            return False
        return any(pool["name"] == "reverse.cpu" and pool["slots"] for pool in found)

    site = f"http://127.0.0.1:{server.server_port}"
    try:
        wait_for("a worker of the kind", pools, 120)
        yield World(fresh, url, metrics, f"http://127.0.0.1:{flower}", site, told, song, folder / "data")
    finally:
        stack.stop(60)
        server.shutdown()
        server.server_close()


def samples(path: Path) -> np.ndarray[Any, Any]:
    return decode(path, path.with_suffix(".f32"), Limits(60)).samples()


def test_a_job_of_the_kind_goes_from_http_to_a_signed_url_that_opens(world: World, tmp_path: Path) -> None:
    sent = world.send(format="wav", bit_depth="float32", webhook_url=f"{world.site}/hook", metadata='{"n": 1}')
    assert (sent["kind"], sent["state"], sent["params"]) == ("reverse", "queued", {"pause": 0.0, "stumbles": 0})
    done = world.ended(sent["id"])

    assert (done["state"], done["pool"], done["cached"], done["stems"]) == ("succeeded", "reverse.cpu", False, {})
    assert (done["facts"], done["source"]["frames"]) == ({"frames_turned": 3 * RATE}, 3 * RATE)
    file = done["files"]["reversed"]
    assert (file["filename"], file["content_type"], file["frames"]) == ("song - reversed.wav", "audio/wav", 3 * RATE)
    assert (file["clipped"], file["silent"]) == (False, False)  # facts that the api's schema does not know
    (tmp_path / "back.wav").write_bytes(httpx.get(file["url"]).content)
    assert np.array_equal(samples(tmp_path / "back.wav"), samples(world.song)[::-1])

    # its manifest
    manifest = httpx.get(done["manifest"]["url"]).json()
    assert (manifest["kind"], manifest["params"], manifest["model"]) == ("reverse", done["params"], None)
    assert manifest["outputs"]["reversed"]["sha256"] == file["sha256"]
    assert manifest["device_seconds"] > 0
    # its webhook
    wait_for("the webhook", lambda: [each for each in world.told if each["data"]["id"] == sent["id"]], 30)
    (told,) = (each for each in world.told if each["data"]["id"] == sent["id"])
    assert (told["type"], told["data"]["kind"], told["data"]["metadata"]) == ("job.succeeded", "reverse", {"n": 1})
    # its place in lists
    listed = httpx.get(f"{world.url}/v1/jobs", params={"kind": "reverse"}).json()["jobs"]
    assert sent["id"] in [job["id"] for job in listed]
    assert {job["kind"] for job in listed} == {"reverse"}
    assert httpx.get(f"{world.url}/v1/jobs", params={"kind": "separate", "model": "x"}).json()["jobs"] == []

    # the same again is taken from the cache, however long it would have paused
    again = world.ended(world.send(format="wav", bit_depth="float32", pause="300")["id"])
    assert (again["state"], again["cached"], again["params"]["pause"]) == ("succeeded", True, 300.0)
    assert again["files"]["reversed"]["sha256"] == file["sha256"]


def test_an_attempt_that_fails_is_made_again(world: World) -> None:
    done = world.ended(world.send(stumbles="1", cache="false")["id"])

    assert (done["state"], done["attempt"]) == ("succeeded", 2)
    assert any("reverse_stumbled: attempt 1 was asked to fail" in line["why"] for line in done["timeline"])
    failed = world.ended(world.send(stumbles="9", cache="false")["id"])
    assert (failed["state"], failed["error"]["code"], failed["attempt"]) == ("failed", "reverse_stumbled", 3)


def test_a_job_in_work_is_canceled_within_moments_and_leaves_its_track_alone(world: World) -> None:
    job_id = world.send(pause="120", cache="false")["id"]
    wait_for("the pause", lambda: world.job(job_id)["progress"]["stage"] == "pausing", 60)
    assert httpx.post(f"{world.url}/v1/jobs/{job_id}/cancel").json()["state"] == "canceled"

    def busy() -> bool:
        pools = httpx.get(f"{world.url}/v1/pools").json()["pools"]
        return any(worker["busy"] for pool in pools if pool["name"] == "reverse.cpu" for worker in pool["workers"])

    wait_for("the worker to stop", lambda: not busy(), 30)
    assert [path.name for path in (world.data / "objects" / "jobs" / job_id).rglob("*")] == ["input"]


def test_a_link_is_fetched_for_it(world: World) -> None:
    body = {"source": {"url": f"{world.site}/song.flac"}, "format": "mp3"}
    answer = httpx.post(f"{world.url}/v1/reversals", json=body, headers={"Idempotency-Key": "one"})
    assert answer.status_code == 201, answer.text
    again = httpx.post(f"{world.url}/v1/reversals", json=body, headers={"Idempotency-Key": "one"})
    assert again.json()["id"] == answer.json()["id"]
    done = world.ended(answer.json()["id"])
    assert (done["state"], done["files"]["reversed"]["content_type"]) == ("succeeded", "audio/mpeg")


def test_what_it_can_not_do_is_refused_with_its_own_codes(world: World) -> None:
    with world.song.open("rb") as file:
        slow = httpx.post(f"{world.url}/v1/reversals", data={"pause": "601"}, files={"file": file})
    assert (slow.status_code, slow.json()["code"]) == (422, "reverse_too_slow")
    with world.song.open("rb") as file:
        wrong = httpx.post(f"{world.url}/v1/reversals", data={"pause": "-1"}, files={"file": file})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_fields")
    with world.song.open("rb") as file:
        away = httpx.post(f"{world.url}/v1/reversals", data={"device": "cuda"}, files={"file": file})
    assert (away.status_code, away.json()["code"]) == (422, "no_pool")


def test_the_description_the_figures_and_flower_show_it(world: World) -> None:
    document = httpx.get(f"{world.url}/openapi.json").json()
    call = document["paths"]["/v1/reversals"]["post"]
    assert call["operationId"] == "createReversal"
    assert list(call["requestBody"]["content"]) == ["multipart/form-data"]
    by_source = document["paths"]["/v1/reversals:from-source"]["post"]
    assert by_source["operationId"] == "createReversalFromSource"
    assert list(by_source["requestBody"]["content"]) == ["application/json"]
    schema = document["components"]["schemas"]["ReverseRequest"]
    assert {"pause", "stumbles", "source", "format", "priority"} <= set(schema["properties"])
    assert "stems" not in schema["properties"]

    done = world.ended(world.send(cache="false")["id"])
    pattern = re.compile(r'demucs_jobs_total{code="",kind="reverse",model="",state="succeeded"} (\d+)')
    ports = range(world.metrics, world.metrics + 3)  # the stack's processes, each on one

    def counted() -> bool:
        texts = [httpx.get(f"http://127.0.0.1:{port}/metrics").text for port in ports]
        return any(int(float(found)) >= 1 for text in texts for found in pattern.findall(text))

    wait_for("the figure", counted, 20)

    def shown() -> dict[str, Any] | None:
        tasks = httpx.get(f"{world.flower}/api/tasks", auth=("stemsvc", PASSWORD), timeout=20).json()
        return next((task for name, task in tasks.items() if name.startswith(done["id"])), None)

    task = wait_for("the task in Flower", shown, 30)
    assert (task["name"], task["state"]) == ("stemsvc.run", "SUCCESS")
    (account,) = httpx.get(f"{world.url}/v1/usage").json()["accounts"]
    assert account["jobs"]["succeeded"] >= 1


@pytest.mark.long
def test_separations_go_on_beside_it(world: World) -> None:
    for path in ("separations", "jobs"):
        done = world.ended(world.send(path, stems="vocals")["id"])
        assert (done["state"], done["kind"], set(done["stems"])) == ("succeeded", "separate", {"vocals"})
        assert done["files"] == done["stems"] or set(done["files"]) == set(done["stems"])


def test_the_command_line_knows_it_too(world: World) -> None:
    environment = plain_environment(STEMSVC_DATA_DIR=str(world.data))
    done = subprocess.run(
        [world.python, "-m", "stemsvc", "jobs"], env=environment, capture_output=True, text=True, check=True
    )
    assert "reverse" in done.stdout
