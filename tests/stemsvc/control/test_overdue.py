"""What is overdue is found with its reason, and mended by one command."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
import redis
import sqlalchemy as sa

from stemsvc.control.overdue import find_stuck
from stemsvc.control.services import Services, open_services
from stemsvc.jobs.record import Job, JobState, input_key, new_job_id
from stemsvc.jobstore.engine import connect
from stemsvc.jobstore.tables import jobs
from stemsvc.settings import Settings
from tests.processes import plain_environment, stemsvc
from tests.schema import fresh_schema
from tests.specs import job_of, spec_of

POOL = "separate.demo.cpu"


@pytest.fixture
def services(settings: Settings, redis_url: str) -> Iterator[Services]:
    settings.data_dir.mkdir()
    settings = settings.model_copy(update={"broker_url": redis_url, "publish_ahead": 3})
    fresh_schema(settings.resolved_database_url)
    services = open_services(settings)
    yield services
    services.close()


def job(services: Services) -> Job:
    job_id = new_job_id()
    options = spec_of("demo", stems=("vocals",))
    made = job_of(job_id, JobState.QUEUED, options, POOL, input_key(job_id), "song.mp3", 1)
    return services.store.intake.put(made, "accepted").job


def an_hour_ago(services: Services, job_id: str, *columns: str) -> None:
    """Move these times of the job back, as if nobody had looked after it since."""
    engine = connect(services.settings.resolved_database_url)
    earlier = {name: jobs.c[name] - 3600 for name in columns}
    with engine.begin() as connection:
        connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(earlier))
    engine.dispose()


def reasons(services: Services) -> dict[str, str]:
    settings = services.settings
    found = find_stuck(
        services.store,
        services.publisher,
        sweep_seconds=settings.dispatch_interval_seconds,
        republish_seconds=settings.republish_seconds,
        time_limit=settings.job_time_limit_seconds,
    )
    return {stuck.job.id: stuck.why for stuck in found}


def test_fresh_jobs_are_not_stuck(services: Services) -> None:
    job(services)
    running = job(services)
    assert services.store.leases.take(running.id, "worker", 60)

    assert reasons(services) == {}


def test_each_way_of_being_overdue_is_told(services: Services) -> None:
    silent, slow, unpublished, pausing = (job(services) for _ in range(4))
    for each in (silent, slow, pausing):
        assert services.store.leases.take(each.id, "worker", 60)
    an_hour_ago(services, silent.id, "lease_expires_at", "started_at")
    for _ in range(3):
        an_hour_ago(services, slow.id, "started_at")
    lease = services.store.leases.take(unpublished.id, "worker", 60)
    assert lease
    services.store.leases.give_back(lease[1], "storage away", -1.0)
    an_hour_ago(services, unpublished.id, "created_at", "not_before")
    an_hour_ago(services, pausing.id, "created_at")
    found = reasons(services)

    assert set(found) == {silent.id, slow.id, unpublished.id}
    assert "silent" in found[silent.id]
    assert "longer than any job" in found[slow.id]
    assert "no message" in found[unpublished.id]


def test_lost_messages_and_absent_workers_are_told_apart(services: Services) -> None:
    waiting = job(services)
    services.dispatcher.sweep()
    an_hour_ago(services, waiting.id, "created_at", "published_at")
    assert "no worker answers" in reasons(services)[waiting.id]

    with redis.Redis.from_url(services.settings.broker_url) as client:
        client.flushall()
    assert "message is gone" in reasons(services)[waiting.id]


def test_the_commands_list_what_is_stuck_and_mend_it(services: Services) -> None:
    silent, lost, slow = (job(services) for _ in range(3))
    services.dispatcher.sweep()
    for each in (silent, slow):
        assert services.store.leases.take(each.id, "worker", 60)
    an_hour_ago(services, silent.id, "lease_expires_at")
    an_hour_ago(services, lost.id, "created_at", "published_at")
    with redis.Redis.from_url(services.settings.broker_url) as client:
        client.flushall()
    listed = run(services, "jobs", "stuck")
    assert listed.returncode == 1
    assert silent.id in listed.stdout
    assert lost.id in listed.stdout

    mended = run(services, "recover", slow.id)
    assert mended.stdout == "2 jobs taken back, 3 published\n"
    assert run(services, "jobs", "stuck").stdout == "no job is stuck\n"
    with redis.Redis.from_url(services.settings.broker_url) as client:
        assert client.llen(POOL) == 3
    refused = run(services, "recover", slow.id)
    assert (refused.returncode, refused.stderr) == (1, f"stemsvc: not_running: {slow.id} is no running job\n")


def run(services: Services, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = plain_environment(
        STEMSVC_DATA_DIR=str(services.settings.data_dir),
        STEMSVC_BROKER_URL=services.settings.broker_url,
        COLUMNS="250",
        STEMSVC_PUBLISH_AHEAD="3",
    )
    return subprocess.run(stemsvc(*arguments), env=environment, capture_output=True, text=True, timeout=60)
