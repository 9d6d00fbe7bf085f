"""A real Prometheus with the shipped configuration and rules, which scrapes a running stack that asks for keys."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from stemsvc.accounts.keys import Scope, new_key
from stemsvc.demo import SONG
from stemsvc.embedded.ports import free_port
from stemsvc.embedded.redis_server import RedisServer
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import migrate
from tests.postgres import frozen
from tests.processes import LocalProcess, plain_environment, stemsvc, wait_for
from tests.programs import need

FILES = Path("helm/stemsvc/files")
COMPOSE = yaml.safe_load(Path("deploy/compose.yaml").read_text())["services"]
SECONDS = 480.0  # for what a busy machine takes
# The services of compose that run here, by what they are told.
PROGRAMS = {"api": ["api"], "dispatcher": ["dispatcher"], "fetcher": ["fetcher"], "worker-cpu": ["worker"]}


class Stack:
    """What compose runs of ours, as processes; each shows its metrics on a port of its own."""

    def __init__(self, folder: Path, stack: ExitStack, database: str) -> None:
        self.folder, self.database, self._stack = folder, database, stack
        redis = RedisServer(folder / "redis")
        redis.child.start()
        stack.callback(redis.child.stop, 10)
        wait_for("redis", redis.answers)
        self.ports = {name: free_port() for name in PROGRAMS}
        self.url = f"http://127.0.0.1:{free_port()}"
        self._environment = plain_environment(
            STEMSVC_DATA_DIR=str(folder / "data"),
            STEMSVC_DATABASE_URL=database,
            STEMSVC_BROKER_URL=redis.url,
            STEMSVC_API_PORT=self.url.rpartition(":")[2],
            STEMSVC_POOLS="demo:cpu",
            STEMSVC_DEFAULT_MODEL="demo",
            STEMSVC_OFFLINE="true",
            STEMSVC_CONCURRENCY="1",
            STEMSVC_RETRY_BASE_SECONDS="1",
            STEMSVC_LEASE_SECONDS="60",
            STEMSVC_WORKER_BEAT_SECONDS="1",
            STEMSVC_SHUTDOWN_GRACE_SECONDS="31",
            STEMSVC_PRICE_PER_DEVICE_HOUR="3600",
            STEMSVC_ALLOWED_NETWORKS="127.0.0.0/8",
            STEMSVC_RESULT_CACHE="false",
        )
        key, token = new_key("tests", frozenset({Scope.ADMIN}))
        migrate(database)
        store = JobStore(database)
        store.keys.add(key)
        store.close()
        self.http = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=SECONDS)
        stack.callback(self.http.close)
        self.running = {name: self.start(name) for name in PROGRAMS}
        wait_for("the api", lambda: self._metrics("api"), SECONDS)

    def start(self, name: str, **changes: str) -> LocalProcess:
        """Start a program, with other settings."""
        more = ["--model", "demo"] if name == "worker-cpu" else []
        environment = {**self._environment, "STEMSVC_METRICS_PORT": str(self.ports[name]), **changes}
        made = LocalProcess(name, stemsvc(*PROGRAMS[name], *more), environment, self.folder, lambda _: True)
        self._stack.callback(made.teardown)
        return made

    def restart(self, name: str, **changes: str) -> None:
        """Stop a program and start it with other settings."""
        self.running[name].teardown()
        self.running[name] = self.start(name, **changes)

    def _metrics(self, name: str) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports[name]}/metrics", timeout=10).status_code == 200
        except httpx.HTTPError:
            return False

    def send(self, file: Path, **fields: str) -> str:
        """Send a song; returns the job's id."""
        with file.open("rb") as song:
            answer = self.http.post("/v1/jobs", files={"file": song}, data=fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def ended(self, job_id: str) -> dict[str, Any]:
        """The job once it has ended."""

        def end() -> dict[str, Any] | None:
            job: dict[str, Any] = self.http.get(f"/v1/jobs/{job_id}", headers={"Prefer": "wait=30"}).json()
            return job if job["state"] not in ("queued", "running") else None

        return wait_for("the job's end", end, SECONDS)


class Prometheus:
    """A Prometheus of ours."""

    def __init__(self, folder: Path, config: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        command = [
            need("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address={self.url.removeprefix('http://')}", "--web.enable-lifecycle", "--log.level=warn",
        ]  # fmt: skip
        self._process = LocalProcess("prometheus", command, plain_environment(), folder, lambda _: self._is_ready())
        self._process.ready()

    def close(self) -> None:
        self._process.teardown()

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def reload(self) -> None:
        """Have it read its files again."""
        httpx.post(f"{self.url}/-/reload", timeout=60).raise_for_status()

    def _asked(self, path: str, **params: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=params, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def query(self, expression: str) -> list[Any]:
        found: list[Any] = self._asked("query", query=expression)["result"]
        return found

    def targets(self) -> dict[str, str]:
        """Each target's health."""
        return {each["scrapeUrl"]: each["health"] for each in self._asked("targets")["activeTargets"]}

    def alerts(self, *states: str) -> set[str]:
        """The names of the alerts in these states: pending, firing."""
        found = self._asked("alerts")["alerts"]
        return {each["labels"]["alertname"] for each in found if each["state"] in states}


def configured(folder: Path, stack: Stack) -> Path:
    """The shipped configuration, in which names lead to the processes here, and seconds are enough."""
    config = yaml.safe_load(Path("deploy/prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "3s", "scrape_timeout": "3s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(folder / "alerts.yaml")]
    for job in config["scrape_configs"]:
        (found,) = job.pop("dns_sd_configs")
        assert set(found["names"]) <= set(COMPOSE)
        assert str(found["port"]) == COMPOSE["api"]["environment"]["STEMSVC_METRICS_PORT"]
        here = [stack.ports[name] for name in found["names"] if name in stack.ports]
        job["static_configs"] = [{"targets": [f"127.0.0.1:{port}" for port in here]}]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    return path


def rules(folder: Path, waits: str | None = None) -> None:
    """Write the shipped rules for Prometheus, as they are or with another `for`."""
    read = yaml.safe_load((FILES / "alerts.yaml").read_text())
    for rule in read["groups"][0]["rules"]:
        rule["for"] = waits or rule["for"]
    (folder / "alerts.yaml").write_text(yaml.safe_dump(read))


def questions() -> list[str]:
    panels = json.loads((FILES / "dashboard.json").read_text())["panels"]
    return [target["expr"].replace("$pool", ".*") for panel in panels for target in panel["targets"]]


@contextmanager
def receiver() -> Iterator[str]:
    """A client's server for webhooks."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def stack(tmp_path: Path, postgres_url: str) -> Iterator[Stack]:
    need("prometheus")
    with ExitStack() as parts:
        yield Stack(tmp_path, parts, postgres_url)


@pytest.mark.long
def test_prometheus_sees_a_healthy_stack_whole_and_tells_what_breaks(stack: Stack, tmp_path: Path) -> None:
    rules(tmp_path)
    prometheus = Prometheus(tmp_path, configured(tmp_path, stack))
    try:
        _check_health(prometheus, stack, tmp_path)
        _check_dashboard(prometheus, stack)
        rules(tmp_path, "2s")
        prometheus.reload()
        _check_breaks(prometheus, stack)
    finally:
        prometheus.close()


def _check_health(prometheus: Prometheus, stack: Stack, folder: Path) -> None:
    # given jobs that end well, one that its client has spoilt, and clients that wait
    def all_up() -> bool:
        health = prometheus.targets()
        return len(health) == len(PROGRAMS) and set(health.values()) == {"up"}

    wait_for("every target to be up", all_up, SECONDS)
    wait_for("a worker and a fetcher", lambda: len(prometheus.query("demucs_live_slots > 0")) == 2, SECONDS)
    noise = folder / "noise.wav"
    noise.write_bytes(b"no audio")
    with receiver() as url:
        done = stack.ended(stack.send(SONG, stems="vocals", webhook_url=url))
        assert done["state"] == "succeeded", done["error"]
        assert stack.ended(stack.send(noise))["state"] == "failed"
        wait_for("the webhook", lambda: prometheus.query("stemsvc_webhook_tries_total"), SECONDS)
    held = stack.http.post(
        "/v1/jobs", files={"file": SONG.read_bytes()}, data={"stems": "vocals"}, headers={"Prefer": "wait=60"}
    )
    assert held.status_code == 201

    # then no alert is even pending, and the time in which a client waited for its job is nobody's slowness
    wait_for("scrapes of it all", lambda: prometheus.query('stemsvc_http_seconds_count{status="201"} > 2'), SECONDS)
    wait_for("no alert", lambda: not prometheus.alerts("pending", "firing"), SECONDS)
    slow = 'sum(stemsvc_http_seconds_count{method="POST"}) - sum(stemsvc_http_seconds_bucket{method="POST",le="5.0"})'
    assert float(prometheus.query(slow)[0]["value"][1]) == 0


def _check_dashboard(prometheus: Prometheus, stack: Stack) -> None:
    # given a worker whose disk is full, so that a job is tried again
    stack.restart("worker-cpu", STEMSVC_MIN_FREE_BYTES=str(1 << 60))
    assert stack.ended(stack.send(SONG, stems="vocals"))["error"]["code"] == "scratch_full"
    # its counters end with it, and a rate takes two scrapes of them
    tries_again = [each for each in questions() if "demucs_retries_total" in each]
    _answered(prometheus, tries_again)
    stack.restart("worker-cpu")
    assert stack.ended(stack.send(SONG, stems="vocals"))["state"] == "succeeded"

    # then each question of the dashboard has an answer
    _answered(prometheus, questions())


def _answered(prometheus: Prometheus, asked: list[str]) -> None:
    """Wait until each question has an answer."""
    assert asked
    for question in asked:
        wait_for(f"an answer to {question}", partial(prometheus.query, question), SECONDS)


def _check_breaks(prometheus: Prometheus, stack: Stack) -> None:
    def fires(alert: str) -> None:
        wait_for(alert, lambda: alert in prometheus.alerts("firing"), SECONDS)

    def ends(alert: str) -> None:
        wait_for(f"the end of {alert}", lambda: alert not in prometheus.alerts("pending", "firing"), SECONDS)

    with frozen(stack.database):
        fires("StemsvcStoreAway")
        assert "StemsvcApiDown" not in prometheus.alerts("firing")
    ends("StemsvcStoreAway")

    for name, alert in (("fetcher", "StemsvcNoFetcher"), ("dispatcher", "StemsvcNoDispatcher")):
        stack.running[name].teardown()
        fires(alert)
        stack.running[name] = stack.start(name)
        ends(alert)

    stack.running["worker-cpu"].teardown()
    stack.send(SONG, stems="vocals")
    fires("StemsvcNoLivePool")

    migrate(stack.database, "0007")  # as who goes back to release 0.2 and leaves the programs
    fires("StemsvcMigrationFailed")
    migrate(stack.database)
    ends("StemsvcMigrationFailed")

    stack.running["api"].teardown()
    fires("StemsvcApiDown")
