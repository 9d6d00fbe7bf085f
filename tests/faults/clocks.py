"""Faults of clocks: the clock of one host of two jumps by an hour."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.faults.killer import pool_processes
from tests.faults.stage import Stage
from tests.processes import wait_for

HOUR = 3600
# libfaketime moves the end of an absolute sleep, also by a clock that it does not fake. Python's is one since 3.11.
SLEEP = """
import select, time
time.sleep = lambda seconds: select.select([], [], [], seconds) and None
"""


def library() -> Path | None:
    """Debian's libfaketime; None where it is not installed."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def put_a_hosts_clock_an_hour_ahead(stage: Stage) -> float:
    return _jump(stage, HOUR)


def put_a_hosts_clock_an_hour_back(stage: Stage) -> float:
    return _jump(stage, -HOUR)


def _jump(stage: Stage, seconds: int) -> float:
    """A second host has a worker alone, and its clock jumps while both hosts have a job."""
    clock, faked = stage.folder / "clock", library()
    assert faked is not None
    clock.write_text("+0\n")
    python = stage.folder / "python"
    python.mkdir(exist_ok=True)
    (python / "sitecustomize.py").write_text(SLEEP)
    # time.monotonic goes on as it does on a host whose clock is set
    environment = {
        "LD_PRELOAD": str(faked),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": os.pathsep.join([str(python), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    stage.workers[1].container.kill(signal.SIGTERM)  # so that there are two hosts with one worker each
    with stage.more_workers(1, **environment) as workers:
        there = workers[-1].container
        jobs = stage.both_busy()
        wait_for("one of them to run there", lambda: any(_runs_on(stage, each, there.pid) for each in jobs))
        clock.write_text(f"{seconds:+d}\n")
        stage.fault()
        jobs += [stage.send() for _ in range(6)]
        took = stage.end(*jobs)
        for job_id in jobs:
            moves = [move["why"] for move in stage.client.job(job_id)["timeline"]]
            assert not any("silent" in why for why in moves), moves  # leases run by the database's clock
    return took


def _runs_on(stage: Stage, job_id: str, worker: int) -> bool:
    owner = stage.client.job(job_id)["timeline"][-1]["worker"] or ":0"
    return int(owner.rsplit(":", 1)[1]) in list(pool_processes(worker))
