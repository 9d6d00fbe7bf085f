"""A worker's metrics over HTTP, gathered from its children."""

from __future__ import annotations

import functools
import os
import re
import signal
from collections.abc import Callable

import httpx
import pytest
from pytest_celery import CeleryTestSetup

from stemsvc.demo import SONG
from stemsvc.embedded.ports import free_port
from tests.flow.conftest import Service
from tests.processes import wait_for


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def backing(port: int) -> dict[str, str]:
    return {"STEMSVC_METRICS_PORT": str(port)}


@pytest.fixture
def figure(port: int) -> Callable[[str], float]:
    return functools.partial(_figure, port)


def _figure(port: int, name: str) -> float:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    found = re.search(rf'^{name}{{device="cpu",model="demo"}} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.mark.long
def test_load_time_and_memory_of_a_model(
    service: Service, celery_setup: CeleryTestSetup, figure: Callable[[str], float]
) -> None:
    # given a worker that has loaded its model
    job = service.client.submit(SONG, stems="vocals")
    assert service.client.wait(job["id"], 120)["state"] == "succeeded"

    assert figure("demucs_model_load_seconds_count") == 1
    assert 0 < figure("demucs_model_load_seconds_sum") < 120
    assert 1e6 < figure("demucs_model_memory_bytes") < 4e9

    # when the child that holds it is killed
    files = (service.folder / "metrics").glob("*/gauge_livesum_*.db")
    (path,) = (each for each in files if b"demucs_model_memory_bytes" in each.read_bytes())
    os.kill(int(path.stem.rpartition("_")[2]), signal.SIGKILL)

    # then its memory counts no more, and what it has done still does
    wait_for("the memory to be given back", lambda: figure("demucs_model_memory_bytes") == 0)
    assert figure("demucs_model_load_seconds_count") == 1
