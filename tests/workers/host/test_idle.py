"""A worker that is to end when it is idle: it does its jobs first, then ends well."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stemsvc.embedded.ports import free_port
from tests.flow.test_upgrade import answers, send
from tests.processes import LocalProcess, plain_environment, stemsvc, wait_for

SECONDS = 300.0


@pytest.mark.long
def test_a_worker_does_what_waits_and_ends_well_when_nothing_does(tmp_path: Path, redis_url: str) -> None:
    import httpx

    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    (tmp_path / "data").mkdir()
    environment = plain_environment(
        STEMSVC_DATA_DIR=str(tmp_path / "data"),
        STEMSVC_BROKER_URL=redis_url,
        STEMSVC_POOLS="demo:cpu",
        STEMSVC_DEFAULT_MODEL="demo",
        STEMSVC_CONCURRENCY="1",
        STEMSVC_IDLE_EXIT_SECONDS="2",
        OMP_NUM_THREADS="1",
    )
    api = LocalProcess("api", stemsvc("api", "--port", port), environment, tmp_path, lambda _: answers(url))
    try:
        api.ready()
        jobs = [send(url) for _ in range(2)]
        with (tmp_path / "worker.log").open("w") as log:
            worker = subprocess.Popen(stemsvc("worker"), env=environment, stdout=log, stderr=log)
        try:
            wait_for("the worker to end", lambda: worker.poll() is not None, SECONDS)
        finally:
            worker.kill()
        assert worker.returncode == 0, (tmp_path / "worker.log").read_text()
        assert {httpx.get(f"{url}/v1/jobs/{each}").json()["state"] for each in jobs} == {"succeeded"}
    finally:
        api.teardown()
