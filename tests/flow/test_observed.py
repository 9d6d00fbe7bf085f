"""What an operator sees of one job: its trace, its lines in the logs, its figures, its task in Flower."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pytest_celery import CeleryTestSetup

from stemsvc.demo import SONG
from stemsvc.embedded.ports import free_port
from tests.flow.collector import Collector, KeptLine, KeptSpan, collecting
from tests.flow.conftest import Service
from tests.processes import LocalProcess, stemsvc, wait_for

SECRET = "a-storage-secret-of-this-test"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PASSWORD = "a-password-of-this-test"
PUBLISH, PROCESS = "publish separate.demo.cpu", "process separate.demo.cpu"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def backing(collector: Collector, port: int, tmp_path: Path) -> dict[str, str]:
    return {
        "STEMSVC_ALIVE_FILE": str(tmp_path / "alive"),
        "STEMSVC_OTLP_ENDPOINT": collector.url,
        "STEMSVC_OTLP_METRICS": "true",
        "STEMSVC_OTLP_METRICS_SECONDS": "1",
        "STEMSVC_OTLP_LOGS": "true",
        "STEMSVC_OTLP_HEADERS": "x-tenant=music",
        "STEMSVC_METRICS_PORT": str(port),
        "STEMSVC_STORAGE_SECRET": SECRET,
        "STEMSVC_LOG_FORMAT": "json",
        "STEMSVC_ALLOWED_NETWORKS": "127.0.0.0/8",
        "STEMSVC_PRICE_PER_DEVICE_HOUR": "3600",
    }


@pytest.fixture
def flower(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    at = free_port()
    url = f"http://127.0.0.1:{at}"

    def answers(_: LocalProcess) -> bool:
        try:
            return httpx.get(f"{url}/healthcheck", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    guarded = {**environment, "STEMSVC_FLOWER_PASSWORD": PASSWORD, "FLOWER_UNAUTHENTICATED_API": "false"}
    process = LocalProcess("flower", stemsvc("flower", "--port", str(at)), guarded, tmp_path, answers)
    process.ready()
    yield url
    process.teardown()


@pytest.mark.long
def test_one_job_is_seen_from_its_request_to_its_end(
    service: Service, flower: str, celery_setup: CeleryTestSetup, collector: Collector, port: int, tmp_path: Path
) -> None:
    # given a client that traces its own work, and a job that fails beside one that succeeds
    with SONG.open("rb") as song:
        answer = httpx.post(
            f"{service.url}/v1/jobs",
            files={"file": song},
            data={"stems": "vocals"},
            timeout=30,
            headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "X-Request-Id": "request-of-this-test"},
        )
    job_id = answer.json()["id"]
    done = service.client.wait(job_id, 120)
    assert done["state"] == "succeeded"
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"no audio")
    failed = service.client.wait(service.client.submit(noise)["id"], 60)

    alive = tmp_path / "alive"
    touched = alive.stat().st_mtime_ns
    _check_trace(collector, job_id)
    _check_logs(tmp_path, job_id, dict(done.raw))
    _check_figures(service, port, failed["error"]["code"])
    _check_collected(collector, job_id, failed["error"]["code"])
    _check_flower(flower, job_id)
    wait_for("the main loop to turn", lambda: alive.stat().st_mtime_ns > touched, 20)


def _check_trace(collector: Collector, job_id: str) -> None:
    def whole() -> dict[str, KeptSpan]:
        found = collector.of(TRACE)
        return found if {PROCESS, "POST /v1/jobs"} <= set(found) else {}

    spans = wait_for("the spans", whole, 20)
    assert set(spans) == {
        "POST /v1/jobs",
        PUBLISH,
        PROCESS,
        "wait in queue",
        "fetching",
        "decoding",
        "loading",
        "waiting",
        "separating",
        "encoding",
        "uploading",
    } - ({"waiting"} - set(spans))
    root, publish, job = spans["POST /v1/jobs"], spans[PUBLISH], spans[PROCESS]
    assert (root.parent_id, root.service) == ("b7ad6b7169203331", "stemsvc-api")
    # a message that nobody took within seconds, on a slow machine, is sent again
    sent = {span.span_id for span in collector.spans if (span.trace_id, span.name) == (TRACE, PUBLISH)}
    assert (publish.parent_id, job.parent_id in sent, job.service) == (root.span_id, True, "stemsvc-worker")
    for name, span in spans.items():
        if name not in ("POST /v1/jobs", PUBLISH, PROCESS):
            assert span.parent_id == job.span_id, name
            assert job.start <= span.end <= job.end + 1_000_000, name
        assert span.start <= span.end
    for span in (publish, job, spans["wait in queue"]):
        assert span.attributes["stemsvc.job_id"] == job_id
        assert span.attributes["stemsvc.request_id"] == "request-of-this-test"
    assert root.attributes["stemsvc.request_id"] == "request-of-this-test"
    assert root.attributes["http.response.status_code"] == 201
    assert spans["separating"].events.count("batch") >= 2


def _check_logs(folder: Path, job_id: str, done: dict[str, object]) -> None:
    text = "".join(path.read_text(errors="replace") for path in folder.glob("*.log"))
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    mine = [line for line in lines if line.get("job_id") == job_id]
    assert {"job started", "model loaded", "job succeeded"} <= {line["event"] for line in mine}
    for line in mine:
        assert (line["request_id"], line["trace_id"]) == ("request-of-this-test", TRACE), line
        assert line["attempt"] == 1
        assert {"level", "timestamp"} <= set(line)
    assert not [line for line in lines if job_id in json.dumps(line) and line.get("job_id") != job_id]
    stems = done["stems"]
    assert isinstance(stems, dict)
    signature = re.search(r"signature=(\w+)", stems["vocals"]["url"])
    assert signature
    for secret in (SECRET, signature[1], "signature=", PASSWORD):
        assert secret not in text


def _check_figures(service: Service, port: int, code: str) -> None:
    worker = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    api = httpx.get(f"{service.url}/metrics").text
    for line in (
        'demucs_jobs_total{code="",kind="separate",model="demo",state="succeeded"} 1.0',
        f'demucs_jobs_total{{code="{code}",kind="separate",model="demo",state="failed"}} 1.0',
        'demucs_processing_seconds_count{device="cpu",kind="separate",model="demo"} 1.0',
        'demucs_realtime_factor_count{device="cpu",kind="separate",model="demo"} 1.0',
        'demucs_model_load_seconds_count{device="cpu",model="demo"} 1.0',
    ):
        assert line in worker
    cost, seconds = _figure(worker, "demucs_cost_total"), _figure(worker, "demucs_device_seconds_total")
    assert 0 < seconds < 60
    assert cost == pytest.approx(seconds)
    # both processes of the api count into one figure
    assert 'stemsvc_http_seconds_count{method="POST",route="/v1/jobs",status="201"} 2.0' in api
    assert 'demucs_live_slots{pool="separate.demo.cpu"} 1.0' in api
    assert 'demucs_queue_depth{pool="separate.demo.cpu",priority="normal"} 0.0' in api
    assert _figure(api, "stemsvc_store_up") == 1
    assert "stemsvc_storage_seconds_count" in api


def _check_collected(collector: Collector, job_id: str, code: str) -> None:
    """The collector has the lines and figures too, and each request to it had the settings' headers."""

    def figures(service: str, name: str) -> dict[tuple[tuple[str, object], ...], float]:
        mine = [each for each in list(collector.metrics) if (each.service, each.name) == (f"stemsvc-{service}", name)]
        return {
            tuple(sorted(each.attributes.items())): each.value if each.kind != "histogram" else each.count
            for each in mine
        }

    def ended() -> bool:
        states = {dict(key)["state"]: value for key, value in figures("worker", "demucs_jobs_total").items()}
        return states == {"succeeded": 1, "failed": 1}

    wait_for("the figures of the jobs", ended, 30)
    assert any(dict(key)["code"] == code for key in figures("worker", "demucs_jobs_total"))
    # one of the api's processes sends for both of them
    wait_for(
        "the figures of the requests",
        lambda: any(
            (dict(key)["method"], dict(key)["route"], value) == ("POST", "/v1/jobs", 2)
            for key, value in figures("api", "stemsvc_http_seconds").items()
        ),
        30,
    )
    assert len({each.instance for each in collector.metrics if each.service == "stemsvc-api"}) == 1
    slots = figures("api", "demucs_live_slots")
    assert {key: value for key, value in slots.items() if value} == {(("pool", "separate.demo.cpu"),): 1.0}

    def lines() -> list[KeptLine]:
        said = ("job succeeded", job_id)
        return [each for each in list(collector.lines) if (each.body, each.attributes.get("job_id")) == said]

    # they are sent apart from the figures, every few seconds
    wait_for("the line of the job", lambda: bool(lines()), 30)
    (line,) = lines()
    assert (line.service, line.trace_id) == ("stemsvc-worker", TRACE)
    assert {path for path, _ in collector.requests} == {"/v1/traces", "/v1/logs", "/v1/metrics"}
    assert {headers.get("x-tenant") for _, headers in collector.requests} == {"music"}


def _figure(text: str, name: str) -> float:
    found = re.search(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
    assert found, name
    return float(found[1])


def _check_flower(url: str, job_id: str) -> None:
    assert httpx.get(f"{url}/tasks").status_code == 401
    with httpx.Client(base_url=url, auth=("stemsvc", PASSWORD), timeout=20) as client:

        def finished() -> dict[str, object] | None:
            tasks = client.get("/api/tasks").json()
            return next((each for name, each in tasks.items() if name.startswith(job_id)), None)

        task = wait_for("the task in Flower", finished, 20)
        assert (task["name"], task["state"]) == ("stemsvc.run", "SUCCESS")
        assert float(str(task["runtime"])) > 0
        assert job_id in str(task["kwargs"])
        workers = client.get("/api/workers", params={"refresh": "true"}).json()
    assert any(name.startswith("demo-cpu-") for name in workers)
