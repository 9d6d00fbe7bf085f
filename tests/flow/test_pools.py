"""Pools with real workers: who goes first, and that none idles while its line holds work."""

from __future__ import annotations

import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from pytest_celery import CeleryTestSetup
from stemsvc_client import Client, Job

from stemsvc.queue.celery import make_celery
from stemsvc.settings import Settings
from tests.flow.conftest import Service
from tests.processes import LocalProcess, stemsvc, wait_for
from tests.sounds import write_sound

POOLS = """
pools:
  - {name: alpha, models: [demo], device: cpu}
  - {name: beta, models: [demo], device: cpu}
  - {name: gamma, models: [demo], device: cpu}
"""
WORKERS = {"alpha": 3, "beta": 3, "gamma": 2}


def clip(folder: Path, number: int, seconds: float = 0.5) -> Path:
    rng = np.random.default_rng(number)
    sound = (rng.standard_normal((int(seconds * 44100), 2)) * 0.1).astype(np.float32)
    return write_sound(folder / f"clip-{number}.wav", sound, 44100, kind="song.wav")


def key(environment: dict[str, str], name: str) -> str:
    command = stemsvc("keys", "create", name, "--max-priority", "high")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return next(word for word in done.stdout.split() if word.startswith("stemsvc_"))


def began(job: Job) -> datetime:
    (at,) = [move["at"] for move in job["timeline"] if move["to"] == "running"]
    return datetime.fromisoformat(at)


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as clients:
        yield clients


@pytest.mark.long
def test_a_late_key_and_a_high_priority_go_before_the_rest_of_many(
    service: Service, environment: dict[str, str], clients: ExitStack, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    # given a dozen jobs of one key before there is a worker, then one of another, and one that is urgent
    many, late = (clients.enter_context(Client(service.url, key=key(environment, name))) for name in ("many", "late"))
    crowd = [many.submit(clip(tmp_path, number), stems="vocals") for number in range(10)]
    assert crowd[0]["progress"]["stage"] == "waiting_for_pool"
    low = many.submit(clip(tmp_path, 20), stems="vocals", priority="low")
    last = late.submit(clip(tmp_path, 30), stems="vocals")
    urgent = many.submit(clip(tmp_path, 40), stems="vocals", priority="high")

    setup: CeleryTestSetup = request.getfixturevalue("celery_setup")
    assert setup.worker is not None
    done = [many.wait(job["id"], 120) for job in (*crowd, low, urgent)]
    other = late.wait(last["id"], 120)

    assert {job["state"] for job in (*done, other)} == {"succeeded"}
    order = [job["id"] for job in sorted((*done, other), key=began)]
    assert order.index(urgent["id"]) <= 1  # one may have been under way
    assert order.index(last["id"]) <= 4  # behind what was published before it came: no more than for each slot one
    assert order[-1] == low["id"]


@pytest.fixture
def pools(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "pools.yaml"
    path.write_text(POOLS)
    return {
        **environment,
        "STEMSVC_POOLS": str(path),
        "STEMSVC_THREADS": "1",
        "STEMSVC_MAX_WAITING_PER_POOL": "1000",
        "STEMSVC_DEVICE_SLOTS": "8",
    }


@pytest.fixture
def workers(pools: dict[str, str], tmp_path: Path) -> Iterator[list[LocalProcess]]:
    app = make_celery(Settings(broker_url=pools["STEMSVC_BROKER_URL"]))
    names = [f"{pool}-{number}" for pool, count in WORKERS.items() for number in range(count)]
    started = [
        LocalProcess(name, stemsvc("worker", "--pool", name.split("-")[0]), pools, tmp_path, lambda _: True)
        for name in names
    ]
    wait_for("the workers", lambda: len(app.control.ping(timeout=1.0)) >= len(names), 180)
    yield started
    for worker in started:
        worker.teardown()
    app.close()


@pytest.mark.long
def test_eight_workers_in_three_pools_drain_500_jobs_and_no_pool_idles(
    environment: dict[str, str],
    pools: dict[str, str],
    workers: list[LocalProcess],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    environment.update(pools)  # before the api starts
    service: Service = request.getfixturevalue("service")
    clips = [clip(tmp_path, number) for number in range(20)]
    ids = [service.client.submit(clips[number % 20], stems="vocals")["id"] for number in range(500)]
    jobs = [service.client.wait(job_id, 1200) for job_id in ids]

    assert Counter(job["state"] for job in jobs) == {"succeeded": 500}
    spans: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for job in jobs:
        times = {move["to"]: datetime.fromisoformat(move["at"]).timestamp() for move in job["timeline"]}
        spans[job["pool"]].append((times["queued"], times["running"], times["succeeded"]))
    assert set(spans) == set(WORKERS)
    for pool, mine in spans.items():
        idle, whole = _idle(mine)
        print(f"{pool}: {len(mine)} jobs, idle with work in its line for {idle:.2f} of {whole:.1f} s")
        assert idle < 0.02 * whole
    assert all(worker.status == "running" for worker in workers)


def _idle(spans: list[tuple[float, float, float]]) -> tuple[float, float]:
    """Seconds in which jobs waited and none ran, from the first start on; and seconds from that to the last end."""
    first, last = min(start for _, start, _ in spans), max(end for *_, end in spans)
    changes = sorted([(start, 1) for _, start, _ in spans] + [(end, -1) for *_, end in spans])
    idle, running, since = 0.0, 0, first
    for at, change in changes:
        if running == 0 and any(came < at and start >= at for came, start, _ in spans):
            idle += at - since
        running, since = running + change, at
    return idle, last - first
