"""Each fault on real processes: what was accepted ends once, and ends right."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
import redis

from stemsvc.queue import Publisher
from stemsvc.settings import Settings
from tests.faults.conftest import Row
from tests.faults.stage import LONG, Stage
from tests.processes import wait_for

# A fault returns the seconds from its injection until the jobs that it met had ended.
Fault = Callable[[Stage], float]


def kill_the_child(stage: Stage) -> float:
    job_id = stage.send(LONG)
    os.kill(stage.in_the_middle(job_id), signal.SIGKILL)
    took = stage.end(job_id)
    assert stage.attempts(job_id) == 2
    return took


def kill_the_worker(stage: Stage) -> float:
    job_id = stage.send(LONG)
    child = stage.in_the_middle(job_id)
    worker = stage.worker_of(child)
    worker.kill()
    os.kill(child, signal.SIGKILL)
    took = stage.end(job_id)
    assert stage.attempts(job_id) == 2
    return took


def restart_redis_in_mid_job(stage: Stage) -> float:
    jobs = [stage.send(LONG)]
    stage.in_the_middle(jobs[0])
    jobs += [stage.send() for _ in range(3)]
    stage.broker.kill()
    jobs += [stage.send() for _ in range(2)]  # accepted without a broker
    stage.broker.restart()
    return stage.end(*jobs)


def wipe_redis_with_jobs_queued(stage: Stage) -> float:
    busy = stage.both_busy()
    jobs = [stage.send() for _ in range(4)]
    with _redis(stage) as client:
        client.flushall()
    return stage.end(*busy, *jobs)


def drop_every_connection(stage: Stage) -> float:
    job_id = stage.send(LONG)
    stage.in_the_middle(job_id)
    with _redis(stage) as client:
        client.client_kill_filter(_type="normal", skipme=True)
        client.client_kill_filter(_type="pubsub", skipme=True)
    return stage.end(job_id, stage.send())


def deliver_a_message_again_while_its_job_runs(stage: Stage) -> float:
    job_id = stage.send(LONG)
    stage.in_the_middle(job_id)
    publisher = Publisher(Settings(broker_url=stage.environment["STEMSVC_BROKER_URL"]))
    for _ in range(3):
        publisher.publish(job_id, "separate.demo.cpu")
    publisher.close()
    took = stage.end(job_id, stage.send())
    assert stage.attempts(job_id) == 1
    return took


def stop_the_worker_past_its_lease(stage: Stage) -> float:
    job_id = stage.send(LONG)
    child = stage.in_the_middle(job_id)
    os.kill(child, signal.SIGSTOP)
    try:
        # frozen with the device in its hands: the other worker waits for it, which the lease does not
        wait_for("the lease to run out", lambda: stage.attempts(job_id) == 2)
    finally:
        os.kill(child, signal.SIGCONT)
    return stage.end(job_id)


def tell_the_worker_to_stop_in_a_long_job(stage: Stage) -> float:
    job_id = stage.send(LONG)
    worker = stage.worker_of(stage.in_the_middle(job_id)).container
    os.kill(worker.pid, signal.SIGTERM)
    took = stage.end(job_id)
    wait_for("the worker to be gone", lambda: worker.status == "exited")
    assert stage.client.job(job_id)["attempt"] <= 2
    return took


def cancel_and_restart_everything(stage: Stage) -> float:
    running = stage.both_busy(ends="canceled")
    queued = stage.send(ends="canceled")
    for job_id in (*running, queued):
        assert stage.client.cancel(job_id)["state"] == "canceled"
    for process in (stage.broker.container, stage.dispatcher, *(worker.container for worker in stage.workers)):
        process.restart()
    return stage.end(stage.send())


def send_a_job_that_kills_its_worker_each_time(stage: Stage) -> float:
    poison = stage.send(LONG, ends="failed")
    for attempt in (1, 2, 3):
        wait_for("the next attempt", lambda: stage.attempts(poison) == attempt)  # noqa: B023 - called at once
        os.kill(stage.in_the_middle(poison), signal.SIGKILL)
    took = stage.end(poison, stage.send())
    assert stage.client.job(poison)["error"]["code"] == "worker_lost"
    return took


FAULTS: dict[str, Fault] = {
    fault.__name__.replace("_", " "): fault
    for fault in (
        kill_the_child, kill_the_worker, restart_redis_in_mid_job, wipe_redis_with_jobs_queued, drop_every_connection,
        deliver_a_message_again_while_its_job_runs, stop_the_worker_past_its_lease,
        tell_the_worker_to_stop_in_a_long_job, cancel_and_restart_everything,
        send_a_job_that_kills_its_worker_each_time,
    )
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_no_job_is_lost_doubled_or_wrong(stage: Stage, fault: str, runs: int, row: Row) -> None:
    for _ in range(runs):
        stage.expected.clear()
        try:
            row.recovery.append(FAULTS[fault](stage))
        finally:
            row.runs += 1
            row.accepted += len(stage.expected)
            stage.heal()
        findings = stage.inspect()
        row.lost += len(findings.lost)
        row.doubled += len(findings.doubled)
        row.wrong += len(findings.wrong)
        assert (findings.lost, findings.doubled, findings.wrong) == ([], [], [])


def _redis(stage: Stage) -> redis.Redis:
    return redis.Redis.from_url(stage.environment["STEMSVC_BROKER_URL"])
