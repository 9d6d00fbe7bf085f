"""Generations by MusicGen as jobs: what their rows say, what is taken from earlier ones, how they stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.record import Job, JobState, new_job_id
from stemsvc.jobs.spec import JobSpec
from stemsvc.jobstore import JobStore
from stemsvc.kinds.generate.kind import KIND
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from tests.hub import Hub
from tests.processes import plain_environment, wait_for
from tests.schema import fresh_schema
from tests.workers.kinds.generate.musicgen.tiny import LICENCE
from workers.attempt.runner import Runner
from workers.host.models import Models

RUN = """
import sys
from stemsvc.jobstore import JobStore
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from workers.attempt.runner import Runner
from workers.host.models import Models

settings = Settings()
catalog = load_catalog(settings.catalog, accepted=settings.licences)
store = JobStore(settings.resolved_database_url)
Runner.of(settings, catalog, store, open_storage(settings), Models.of(settings)).run(sys.argv[1], "doomed")
"""
ASKED = {"prompt": "a dark tune", "duration": 5, "model": "tiny"}


@pytest.fixture
def opened(settings: Settings, catalog: Path) -> Iterator[Callable[..., Runner]]:
    """Runners over one store; the settings may differ from one to the next."""
    settings.data_dir.mkdir()
    fresh_schema(settings.resolved_database_url)
    store = JobStore(settings.resolved_database_url)

    def runner(**more: Any) -> Runner:
        own = Settings(data_dir=settings.data_dir, broker_url=settings.broker_url, **more)
        known = load_catalog(catalog, accepted=own.licences)
        return Runner.of(own, known, store, open_storage(own), Models.of(own))

    yield runner
    store.close()


def queued(runner: Runner, **more: object) -> Job:
    accepting = load_catalog(Settings().catalog, accepted=[LICENCE])
    params = KIND.check(KIND.read({**ASKED, **more}), [], accepting)
    spec = JobSpec(KIND.name, KIND.stored(params), encoding=Encoding("flac", "16"), more=KIND.mirrored(params))
    job = Job(new_job_id(), JobState.QUEUED, spec, "generate.cpu", owner="ann")
    runner.store.intake.put(job, "accepted")
    return job


def done(runner: Runner, job: Job) -> Job:
    runner.run(job.id, "worker")
    found = runner.store.get(job.id)
    assert found is not None
    return found


def test_a_row_says_what_made_it_and_a_later_job_takes_only_what_is_the_same(
    served: Hub, opened: Callable[..., Runner]
) -> None:
    offline = opened(offline=True)
    replaced = done(offline, queued(offline))
    assert (replaced.state, replaced.facts["model"]) == (JobState.SUCCEEDED, "sketch")
    assert [each.code for each in replaced.warnings] == ["model_replaced"]
    assert replaced.params["model"] == "sketch"
    sketched = done(offline, queued(offline, model="sketch"))
    assert (sketched.cached, [each.code for each in sketched.warnings]) == (True, [])

    online = opened()
    made = done(online, queued(online))
    assert (made.state, made.cached, made.facts["model"]) == (JobState.SUCCEEDED, False, "tiny")
    with online.storage.open(str(made.manifest_key)) as file:
        model = json.loads(file.read())["model"]
    assert (model["name"], model["licence"], len(model["weights_sha256"])) == ("tiny", LICENCE, 3)
    assert done(online, queued(online)).cached


def test_a_worker_whose_operator_did_not_accept_the_licence_fails_the_job(opened: Callable[..., Runner]) -> None:
    runner = opened(accept_licences="")
    job = done(runner, queued(runner))
    assert (job.state, job.error_code) == (JobState.FAILED, "licence_not_accepted")


@pytest.mark.long
def test_a_job_whose_worker_is_killed_amid_its_tokens_is_made_by_another_one_with_the_same_bytes(
    served: Hub, opened: Callable[..., Runner], settings: Settings, catalog: Path
) -> None:
    runner = opened(result_cache=False)
    whole = done(runner, queued(runner, duration=30))
    job = queued(runner, duration=30)
    environment = plain_environment(
        STEMSVC_DATA_DIR=str(settings.data_dir),
        STEMSVC_CACHE_DIR=os.environ["STEMSVC_CACHE_DIR"],
        STEMSVC_CATALOG=str(catalog),
        STEMSVC_ACCEPT_LICENCES=LICENCE,
        STEMSVC_OFFLINE="true",
        STEMSVC_RESULT_CACHE="false",
    )
    doomed = subprocess.Popen([sys.executable, "-c", RUN, job.id], env=environment)
    try:
        wait_for("tokens", lambda: generating(runner, job), 300)
    finally:
        doomed.kill()
        doomed.wait()
    wait_for("the lease's end", lambda: [each for each in runner.store.leases.reap() if each.id == job.id], 60)
    again = done(runner, job)
    assert (again.state, again.attempt, again.facts["model"]) == (JobState.SUCCEEDED, 2, "tiny")
    assert again.outputs["mix"]["sha256"] == whole.outputs["mix"]["sha256"]


def generating(runner: Runner, job: Job) -> bool:
    found = runner.store.get(job.id)
    return found is not None and found.stage == "generating" and 0 < found.fraction < 0.9


def test_a_canceled_job_stops_while_tokens_are_made(served: Hub, opened: Callable[..., Runner]) -> None:
    runner = opened()
    job = queued(runner, duration=60)
    thread = threading.Thread(target=runner.run, args=(job.id, "worker"))
    thread.start()
    try:
        wait_for("tokens", lambda: generating(runner, job), 300)
        runner.store.cancel(job.id, "asked")
    finally:
        thread.join(120)
    found = runner.store.get(job.id)
    assert found is not None
    assert (thread.is_alive(), found.state, found.outputs) == (False, JobState.CANCELED, {})
