"""Faults of the broker: it is gone, empty, cut off, full, or sends a message again."""

from __future__ import annotations

from stemsvc_client import TransientError

from stemsvc.jobs.record import Priority
from stemsvc.jobstore.outbox import Claimed
from stemsvc.queue.celery import Publisher
from stemsvc.settings import Settings
from tests.faults.stage import LONG, Stage, submit_until_accepted


def restart_the_broker_in_mid_job(stage: Stage) -> float:
    jobs = [stage.send(LONG)]
    stage.in_the_middle(jobs[0])
    jobs += [stage.send() for _ in range(3)]
    stage.broker.kill()
    stage.fault()
    jobs += [stage.send() for _ in range(2)]  # accepted without a broker
    stage.broker.restart()
    return stage.end(*jobs)


def restart_the_broker_while_idle(stage: Stage) -> float:
    stage.broker.kill()
    stage.fault()
    stage.broker.restart()
    return stage.end(stage.send(), stage.send())


def send_many_jobs_while_the_broker_is_down(stage: Stage) -> float:
    stage.broker.kill()
    stage.fault()
    jobs = stage.send_many(stage.crowd // 2)
    stage.broker.restart()
    return stage.end(*jobs)


def wipe_the_broker_with_jobs_queued(stage: Stage) -> float:
    busy = stage.both_busy()
    jobs = [stage.send() for _ in range(4)]
    stage.trouble.wipe()
    stage.fault()
    return stage.end(*busy, *jobs)


def drop_every_connection(stage: Stage) -> float:
    job_id = stage.send(LONG)
    stage.in_the_middle(job_id)
    stage.trouble.drop_connections()
    stage.fault()
    return stage.end(job_id, stage.send())


def deliver_a_message_again_while_its_job_runs(stage: Stage) -> float:
    job_id = stage.send(LONG)
    stage.in_the_middle(job_id)
    publisher = Publisher(Settings(broker_url=stage.trouble.url))
    for _ in range(3):
        publisher.publish(Claimed(job_id, "separate.demo.cpu", Priority.NORMAL))
        stage.fault()
    publisher.close()
    took = stage.end(job_id, stage.send())
    assert stage.attempts(job_id) == 1
    return took


def leave_the_broker_no_memory(stage: Stage) -> float:
    jobs = stage.both_busy()
    with stage.trouble.full():
        stage.fault()
        for _ in range(5):
            try:
                jobs.append(stage.send())
            except TransientError as refusal:  # a clear refusal is right too; then the client sends the job again
                assert refusal.code == "broker_unavailable"  # noqa: PT017
                jobs.append(stage.expect(submit_until_accepted(stage.client, stage.songs[1.0])))
    return stage.end(*jobs)
