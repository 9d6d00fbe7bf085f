"""Faults in which a copy takes over from the broker or the database."""

from __future__ import annotations

import contextlib
import dataclasses
from urllib.parse import urlsplit

from tests.faults.brokers import Replica
from tests.faults.proxy import Proxy
from tests.faults.stage import LONG, Stage, submit_until_accepted
from tests.processes import wait_for


def fail_over_to_a_replica_of_the_broker(stage: Stage) -> float:
    """Redis dies, its replica is promoted and gets its address. Then the old one comes back with what it had."""
    number = len(list(stage.folder.glob("replica-*")))
    with contextlib.ExitStack() as cleanup:
        replica = Replica(stage.folder / f"replica-{number}", stage.trouble.url)
        cleanup.callback(replica.close)
        jobs = [stage.send(LONG)]
        stage.in_the_middle(jobs[0])
        jobs += [stage.send() for _ in range(3)]
        wait_for("the replica to have all", replica.has_all)
        stage.broker.kill()
        stage.fault()
        jobs += [stage.send() for _ in range(2)]  # accepted without a broker
        replica.promote()
        cleanup.enter_context(Proxy(replica.port, here=urlsplit(stage.trouble.url).port or 0))
        took = stage.end(*jobs)
        last = [stage.send() for _ in range(2)]
        stage.end(*last)
    stage.broker.restart()
    stage.fault()
    return took + stage.end(stage.send())


def restart_the_database_in_mid_job(stage: Stage) -> float:
    server = stage.postgres
    assert server is not None
    jobs = stage.both_busy()
    server.stop()
    stage.fault()
    server.start()
    took = stage.end(*jobs, stage.expect(submit_until_accepted(stage.client, stage.songs[1.0])))
    for job_id in jobs:
        assert stage.attempts(job_id) == 1
    return took


def fail_over_to_a_standby_of_the_database(stage: Stage) -> float:
    """PostgreSQL dies, its synchronous standby is promoted and gets its address. It stays in charge."""
    primary = stage.postgres
    assert primary is not None
    assert stage.answers is not None
    assert stage.front is not None
    standby = primary.follower(primary.data.parent / f"data-{len(stage.servers)}")
    stage.servers.append(standby)
    jobs = stage.both_busy()
    jobs += [stage.send() for _ in range(3)]
    primary.kill()
    stage.fault()
    standby.promote()
    stage.answers.target = stage.front.target = standby.socket
    stage.postgres = standby
    stage.reader = dataclasses.replace(stage.reader, database=standby.url)
    took = stage.end(*jobs, stage.expect(submit_until_accepted(stage.client, stage.songs[1.0])))
    for job_id in jobs:
        assert stage.attempts(job_id) <= 2
    return took
