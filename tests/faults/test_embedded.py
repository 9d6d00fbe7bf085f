"""Kills (`kill -9`) a worker of `stemsvc up` at default settings, and measures the time until its job has ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from stemsvc_client import Client

from stemsvc.demo.render import render_song
from stemsvc.embedded import background
from stemsvc.embedded.ports import free_port
from stemsvc.settings import Settings
from tests.faults.conftest import ROWS, Row
from tests.faults.reader import Expectation, Reader
from tests.faults.stage import LONG, RATE
from tests.processes import wait_for
from tests.sounds import write_sound

NAME = "2 kill a whole worker, default settings"
BAR = 30.0  # seconds, at the 95th percentile


@pytest.mark.long
@pytest.mark.parametrize("stage", ["embedded"])
def test_a_killed_workers_job_ends_in_time(stage: str, runs: int, tmp_path: Path) -> None:
    sound = np.tile(np.sum(list(render_song(9600, 10.0).values()), axis=0).T, (round(LONG / 10), 1))
    song = write_sound(tmp_path / "song.wav", sound.astype(np.float32), RATE)
    settings = Settings(data_dir=tmp_path / "data", api_port=free_port(), pools="demo:cpu")
    row = ROWS.setdefault((stage, NAME), Row())
    stack = background.start(settings)
    try:
        with Client(stack.url) as client:
            expected = {}
            for _ in range(runs):
                job_id = str(client.submit(song, stems="vocals")["id"])
                expected[job_id] = Expectation("succeeded", round(LONG * RATE))
                wait_for("the job to be separated", lambda: client.job(job_id)["progress"]["fraction"] > 0.05)  # noqa: B023
                child = int(client.job(job_id)["timeline"][-1]["worker"].rsplit(":", 1)[1])
                os.killpg(os.getpgid(child), signal.SIGKILL)
                killed = time.monotonic()
                client.wait(job_id, 120)
                row.recovery.append(time.monotonic() - killed)
                row.runs, row.faults, row.accepted = row.runs + 1, row.faults + 1, row.accepted + 1
        found = Reader(f"sqlite:///{settings.data_dir / 'jobs.sqlite'}", settings.data_dir / "objects", stack.url)
        findings = found.read(expected)
    finally:
        with contextlib.suppress(ProcessLookupError):
            background.stop(settings)
    row.lost, row.doubled, row.wrong = len(findings.lost), len(findings.doubled), len(findings.wrong)
    assert not findings
    assert sorted(row.recovery)[int(0.95 * (len(row.recovery) - 1))] <= BAR
