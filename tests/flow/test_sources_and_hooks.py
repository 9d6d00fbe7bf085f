"""Uploads, links, events, webhooks and results that were made before, on real processes with either backing."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from standardwebhooks import Webhook
from stemsvc_client import UsageError

from stemsvc.accounts.cipher import open_cipher
from stemsvc.embedded.ports import free_port
from stemsvc.jobstore import JobStore
from stemsvc.queue.celery import make_celery
from stemsvc.settings import Settings
from tests.flow.collector import Collector, KeptSpan, collecting
from tests.flow.conftest import Service
from tests.processes import LocalProcess, stemsvc, wait_for
from tests.sounds import tone, write_sound


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(params=["embedded", pytest.param("production", marks=pytest.mark.long)])
def backing(request: pytest.FixtureRequest, collector: Collector) -> dict[str, str]:
    found = {} if request.param == "embedded" else dict(request.getfixturevalue("production"))
    return {
        **found,
        "STEMSVC_ALLOWED_NETWORKS": "127.0.0.0/8",
        "STEMSVC_RESULT_CACHE": "true",
        "STEMSVC_OTLP_ENDPOINT": collector.url,
    }


@dataclass
class World:
    """What lies outside of the service: files to fetch, and a client's server for webhooks."""

    url: str
    told: list[tuple[dict[str, str], str]] = field(default_factory=list)
    slow: dict[str, tuple[bytes, threading.Event]] = field(default_factory=dict)  # bytes that come when they may


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    told: list[tuple[dict[str, str], str]] = []
    slow: dict[str, tuple[bytes, threading.Event]] = {}
    (tmp_path / "site").mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in slow:
                super().do_GET()
                return
            body, hold = slow[self.path]
            self.send_response(200)
            self.send_header("Content-Type", "audio/flac")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:1000])
            hold.wait(60)
            with contextlib.suppress(OSError):
                self.wfile.write(body[1000:])

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            told.append((dict(self.headers), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    handler = partial(Handler, directory=str(tmp_path / "site"))
    with ThreadingHTTPServer(("127.0.0.1", free_port()), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield World(f"http://127.0.0.1:{server.server_port}", told, slow)
        server.shutdown()


@pytest.fixture
def fetcher(tmp_path: Path, environment: dict[str, str], service: Service) -> Iterator[LocalProcess]:
    app = make_celery(Settings(broker_url=environment["STEMSVC_BROKER_URL"]))

    def answers(process: LocalProcess) -> bool:
        return any(
            name.startswith(f"fetcher-{process.pid}-") for reply in app.control.ping(timeout=0.5) for name in reply
        )

    process = LocalProcess("fetcher", stemsvc("fetcher", "--concurrency", "1"), environment, tmp_path, answers)
    process.ready()
    yield process
    process.teardown()
    app.close()


@pytest.mark.long
def test_every_way_in_and_every_way_to_hear_of_it(
    running: Service,
    fetcher: LocalProcess,
    world: World,
    environment: dict[str, str],
    collector: Collector,
    tmp_path: Path,
) -> None:
    song = write_sound(tmp_path / "site" / "song.flac", tone(2.0, 44100), 44100)
    hook = f"{world.url}/hook"

    # a link: fetched by the pool for that, then separated; its client is told
    linked = running.client.submit_url(f"{world.url}/song.flac", stems=["vocals"], webhook_url=hook)
    events = list(running.client.events(linked["id"]))
    moves = [each["data"]["to"] for each in events if each["event"] == "state"]
    assert moves == ["queued", "running", "queued", "running", "succeeded"]
    done = running.client.job(linked["id"])
    assert (done["filename"], done["cached"], done["attempt"]) == ("song.flac", False, 2)
    wait_for("the webhook", lambda: world.told, 30)
    _check_trace(collector, linked["id"])

    # an upload of the same bytes: no second separation
    upload_id = running.client.upload(song)
    again = running.client.submit_upload(upload_id, stems=["vocals"], metadata={"n": 2})
    again = running.client.wait(again["id"], 60)
    assert (again["state"], again["cached"], again["metadata"]) == ("succeeded", True, {"n": 2})
    one, two = (httpx.get(job["stems"]["vocals"]["url"]).content for job in (done, again))
    assert hashlib.sha256(one).hexdigest() == again["stems"]["vocals"]["sha256"]
    assert one == two
    manifest = httpx.get(again["manifest"]["url"])
    assert manifest.headers["content-disposition"].startswith("attachment")
    assert manifest.json()["cached_from"] == linked["id"]
    assert manifest.json()["input"]["sha256"] == hashlib.sha256(song.read_bytes()).hexdigest()

    # the message was signed, and says what the api says
    ((headers, body),) = world.told
    settings = Settings(data_dir=running.folder, database_url=environment.get("STEMSVC_DATABASE_URL", ""))
    store = JobStore(settings.resolved_database_url, cipher=open_cipher(settings))
    told = Webhook(store.webhooks.secrets("")[0]).verify(body, headers)
    store.close()
    assert (told["type"], told["data"]["id"]) == ("job.succeeded", linked["id"])
    url = urlsplit(told["data"]["stems"]["vocals"]["url"])
    if "/v1/files/" in url.path:  # the worker was not told which port this test's api took
        url = url._replace(netloc=urlsplit(running.url).netloc)
    assert httpx.get(url.geturl()).content == one

    # what can't be fetched fails with its code, and is told too
    gone = running.client.submit_url(f"{world.url}/nothing.flac", webhook_url=hook, webhook_events=["job.failed"])
    gone = running.client.wait(gone["id"], 60)
    assert (gone["state"], gone["error"]["code"]) == ("failed", "source_removed")
    wait_for("the other webhook", lambda: len(world.told) == 2, 30)

    (account,) = running.client.usage()["accounts"]
    assert (account["jobs"], account["cached"]) == ({"succeeded": 2, "failed": 1}, 1)
    assert account["device_seconds"] > 0


def _check_trace(collector: Collector, job_id: str) -> None:
    """From the request over both of its attempts, on two processes, to its client's answer it is one trace."""

    def whole() -> list[KeptSpan]:
        found = [span for span in collector.spans if span.attributes.get("stemsvc.job_id") == job_id]
        attempts = [span for span in found if span.name.startswith("process ")]
        return found if len(attempts) == 2 and "POST" in {span.name for span in found} else []

    named = wait_for("the spans", whole, 30)
    ((trace_id,),) = ({span.trace_id for span in named},)
    spans = {span.span_id: span for span in collector.spans if span.trace_id == trace_id}
    (request,) = (span for span in spans.values() if span.name == "POST /v1/jobs")
    (hook,) = (span for span in spans.values() if span.name == "POST")
    attempts = sorted(
        (span for span in spans.values() if span.name.startswith("process ")), key=lambda span: span.start
    )
    assert (request.parent_id, hook.parent_id) == ("", request.span_id)
    assert hook.start >= attempts[-1].start
    assert (hook.attributes["server.address"], hook.attributes["http.response.status_code"]) == ("127.0.0.1", 204)
    for attempt in attempts:  # below the message that brought it
        message = spans[attempt.parent_id]
        assert message.name == f"publish {message.attributes['messaging.destination.name']}"
        assert (message.attributes["messaging.system"], message.parent_id) == ("redis", request.span_id)
    fetched, separated = ({span.name for span in spans.values() if span.parent_id == each.span_id} for each in attempts)
    assert {"wait in queue", "fetching"} <= fetched
    assert "separating" not in fetched
    assert {"wait in queue", "decoding", "separating", "encoding", "uploading"} <= separated


@pytest.mark.long
@pytest.mark.parametrize("backing", ["production"], indirect=True)
def test_s3_holds_an_upload_to_its_bytes(running: Service) -> None:
    place = httpx.post(f"{running.url}/v1/uploads", json={"bytes": 5}).json()
    headers = {"Content-Type": place["headers"]["Content-Type"]}
    assert httpx.put(place["url"], content=b"more than five", headers=headers).is_error
    with pytest.raises(UsageError) as caught:
        running.client.submit_upload(place["upload_id"])
    assert caught.value.code == "upload_missing"


@pytest.mark.long
@pytest.mark.parametrize("backing", ["embedded"], indirect=True)
def test_a_fetcher_that_is_told_to_stop_gives_its_job_back(
    running: Service, fetcher: LocalProcess, world: World, environment: dict[str, str], tmp_path: Path
) -> None:
    song = write_sound(tmp_path / "site" / "song.flac", tone(2.0, 44100), 44100).read_bytes()
    hold = threading.Event()
    world.slow["/slow.flac"] = (song, hold)
    job = running.client.submit_url(f"{world.url}/slow.flac", stems=["vocals"])
    wait_for("the download", lambda: running.client.job(job["id"])["progress"]["stage"] == "fetching", 60)
    fetcher.kill("SIGTERM")

    back = running.client.job(job["id"])
    assert (back["state"], back["pool"]) == ("queued", "fetch")
    assert back["timeline"][-1]["why"] == "the worker is shutting down"
    hold.set()
    fetcher.start()
    done = running.client.wait(job["id"], 90)
    assert (done["state"], done["max_attempts"] - done["attempt"]) == ("succeeded", 2)
