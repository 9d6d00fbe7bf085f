"""Generations by MusicGen as jobs: what their rows say, what is taken from earlier ones, how they stop."""

from __future__ import annotations

import json
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
from tests.processes import wait_for
from tests.schema import fresh_schema
from tests.workers.kinds.generate.musicgen.tiny import LICENCE
from workers.attempt.runner import Runner
from workers.kinds.separate.models import Models

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


def test_a_canceled_job_stops_while_tokens_are_made(served: Hub, opened: Callable[..., Runner]) -> None:
    runner = opened()
    job = queued(runner, duration=60)
    thread = threading.Thread(target=runner.run, args=(job.id, "worker"))
    thread.start()

    def generating() -> bool:
        found = runner.store.get(job.id)
        return found is not None and found.stage == "generating" and 0 < found.fraction < 0.9

    try:
        wait_for("tokens", generating, 120)
        runner.store.cancel(job.id, "asked")
    finally:
        thread.join(60)
    found = runner.store.get(job.id)
    assert found is not None
    assert (thread.is_alive(), found.state, found.outputs) == (False, JobState.CANCELED, {})
