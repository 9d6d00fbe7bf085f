"""Faults of processes: they are killed, frozen, asked to stop, or their jobs are canceled."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from pathlib import Path

from tests.faults.stage import LEASE, LONG, Stage
from tests.processes import wait_for


def kill_a_pool_child(stage: Stage) -> float:
    job_id = stage.send(LONG)
    os.kill(stage.in_the_middle(job_id), signal.SIGKILL)
    stage.fault()
    took = stage.end(job_id)
    assert stage.attempts(job_id) == 2
    return took


def kill_a_whole_worker(stage: Stage) -> float:
    job_id = stage.send(LONG)
    pid = stage.in_the_middle(job_id)
    worker = stage.worker_of(pid)
    worker.kill()
    os.kill(pid, signal.SIGKILL)
    stage.fault()
    took = stage.end(job_id)
    assert stage.attempts(job_id) == 2
    return took


def kill_a_quarter_of_the_workers_again_and_again(stage: Stage) -> float:
    jobs = stage.send_many(stage.crowd)
    start = time.monotonic()
    with stage.more_workers(2) as workers:
        for worker in itertools.cycle(workers):
            before = _ended(stage, jobs)
            if before == len(jobs):
                break
            pids = _pool_processes(worker.container.pid)
            worker.kill()
            for pid in pids:
                _kill(pid)
            stage.fault()
            worker.container.start()
            # the next worker dies only after the others have made some progress; else everything waits for a lease
            wait_for("progress", lambda before=before: _ended(stage, jobs) > min(before + 10, len(jobs) - 1))  # type: ignore[misc]
        for worker in workers:
            worker.container.ready()
    return time.monotonic() - start


def stop_a_worker_past_its_lease(stage: Stage) -> float:
    job_id = stage.send(LONG)
    pid = stage.in_the_middle(job_id)
    os.kill(pid, signal.SIGSTOP)
    stage.fault()
    try:
        # the frozen process holds the device: the other worker waits for it, but the lease runs out
        wait_for("the lease to run out", lambda: stage.attempts(job_id) == 2)
    finally:
        os.kill(pid, signal.SIGCONT)
    return stage.end(job_id)


def freeze_a_process_that_holds_the_device(stage: Stage) -> float:
    job_id = stage.send(LONG)
    pid = stage.in_the_middle(job_id)
    os.kill(pid, signal.SIGSTOP)
    stage.fault()
    try:
        # nobody wakes it: who waits for the device must end it
        took = stage.end(job_id)
        assert stage.attempts(job_id) == 2
        wait_for("the frozen process to be gone", lambda: not Path(f"/proc/{pid}/cmdline").exists())
    finally:
        _kill(pid)
    return took


def tell_a_worker_to_stop_in_a_short_and_in_a_long_job(stage: Stage) -> float:
    job_id = stage.send(LONG)
    worker = stage.worker_of(stage.in_the_middle(job_id)).container
    short = stage.send()
    os.kill(worker.pid, signal.SIGTERM)
    stage.fault()
    took = stage.end(job_id, short)
    wait_for("the worker to be gone", lambda: worker.status == "exited")
    for each in (job_id, short):
        assert stage.attempts(each) <= 2
        assert not any("silent" in move["why"] for move in stage.client.job(each)["timeline"])
    return took


def restart_each_part_in_turn_under_load(stage: Stage) -> float:
    jobs = [stage.send(LONG), *stage.send_many(15)]
    for process in (*(worker.container for worker in stage.workers), stage.dispatcher, stage.api):
        os.kill(process.pid, signal.SIGTERM)
        stage.fault()
        wait_for(f"{process.name} to end", lambda: process.status == "exited")  # noqa: B023 - called at once
        process.start()
        process.ready()
        jobs += stage.send_many(3)
    took = stage.end(*jobs)
    for job_id in jobs:
        moves = [move["why"] for move in stage.client.job(job_id)["timeline"]]
        assert not any("silent" in why for why in moves), moves  # given back, not lost
    return took


def cancel_then_restart_everything(stage: Stage) -> float:
    running = stage.both_busy(ends="canceled")
    queued = stage.send(ends="canceled")
    for job_id in (*running, queued):
        assert stage.client.cancel(job_id)["state"] == "canceled"
    parts = (stage.broker.container, stage.dispatcher, *(worker.container for worker in stage.workers), stage.api)
    for process in parts:
        process.restart()
        stage.fault()
    return stage.end(stage.send())


def send_a_file_that_kills_its_worker_each_time(stage: Stage) -> float:
    poison = stage.send(LONG, ends="failed")
    others = [stage.send() for _ in range(3)]
    for attempt in (1, 2, 3):
        wait_for("the next attempt", lambda: stage.attempts(poison) == attempt)  # noqa: B023 - called at once
        os.kill(stage.in_the_middle(poison), signal.SIGKILL)
        stage.fault()
    took = stage.end(poison, *others)
    assert (code := stage.error(poison)) == "worker_lost", code
    return took


def kill_the_api_and_the_dispatcher(stage: Stage) -> float:
    jobs = stage.send_many(10)
    for process in (stage.dispatcher, stage.api):
        process.kill()
        stage.fault()
    for process in (stage.dispatcher, stage.api):
        process.restart()
    return stage.end(*jobs, seconds=60 + LEASE)


def _ended(stage: Stage, jobs: list[str]) -> int:
    return len(jobs) - stage.reader.live(jobs)


def _pool_processes(pid: int) -> list[int]:
    """Pids of a worker's pool processes."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
