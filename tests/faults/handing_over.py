"""Faults while a workflow's steps hand over: each process is killed in turn, and the workflow goes on without it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from tests.faults.stage import SHORT, Stage
from tests.processes import LocalProcess, wait_for

SONGS = 3  # of each workflow: while one hands over, others are at work
STEPS = [
    {"id": "split", "do": "separate", "for_each": "sources", "with": {"model": "demo", "stems": ["vocals"]}},
    {
        "id": "again",
        "do": "separate",
        "for_each": "sources",
        "with": {"model": "demo", "stems": ["vocals"]},
        "inputs": {"source": "split.vocals"},
    },
]


def kill_each_process_while_steps_hand_over(stage: Stage) -> float:
    """Each process dies in a workflow of its own, at the moment when the first step has ended and others have not."""
    took = 0.0
    workers = [worker.container for worker in stage.workers]
    for process in (*workers, stage.dispatcher, stage.api, stage.broker.container):
        workflow_id, jobs = _send(stage)
        wait_for("a hand-over", lambda jobs=jobs: stage.reader.live(jobs) < len(jobs))  # type: ignore[misc]
        _kill(process)
        stage.fault()
        killed = time.monotonic()
        process.start()
        process.ready()
        stage.end(*jobs)
        took = max(took, time.monotonic() - killed)
        assert stage.reader.workflow(workflow_id) == ("succeeded", 0, 0, 0, 0)
    return took


def _send(stage: Stage) -> tuple[str, list[str]]:
    workflow = stage.client.start_workflow(STEPS, [stage.songs[SHORT]] * SONGS)
    jobs = [stage.expect(job.id, SHORT) for step in workflow.steps for job in step.jobs]
    assert len(jobs) == len(STEPS) * SONGS
    return workflow.id, jobs


def _kill(process: LocalProcess) -> None:
    """Kill it with the processes that it has started, all at once."""
    below = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(process.pid, signal.SIGKILL)
    for pid in map(int, below):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(f"{process.name} to end", lambda: process.status == "exited")
