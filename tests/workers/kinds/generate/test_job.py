"""Generations as jobs: with the store and the storage, but without a song."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.record import Job, JobState, new_job_id
from stemsvc.jobs.spec import JobSpec
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import migrate
from stemsvc.kinds.generate.kind import KIND
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from workers.attempt.runner import Runner
from workers.host.models import Models


@pytest.fixture
def runner(settings: Settings) -> Iterator[Runner]:
    settings.data_dir.mkdir()
    migrate(settings.resolved_database_url)
    store = JobStore(settings.resolved_database_url)
    yield Runner.of(settings, load_catalog(), store, open_storage(settings), Models())
    store.close()


def run(runner: Runner, **asked: object) -> Job:
    params = KIND.check(KIND.read({"duration": 5, **asked}), [], load_catalog())
    spec = JobSpec(KIND.name, KIND.stored(params), encoding=Encoding("flac", "16"), more=KIND.mirrored(params))
    job = Job(new_job_id(), JobState.QUEUED, spec, "generate.cpu", owner="ann")
    runner.store.intake.put(job, "accepted")
    runner.run(job.id, "worker")
    done = runner.store.get(job.id)
    assert done is not None
    return done


def test_a_piece_is_stored_with_its_facts_and_its_manifest_and_made_once(runner: Runner) -> None:
    job = run(runner, prompt="a reggae tune")

    assert (job.state, job.error_code) == (JobState.SUCCEEDED, None)
    assert set(job.outputs) == {"mix", "score"}
    assert (job.facts["genre"], job.source["duration_seconds"]) == ("reggae", 5)
    with runner.storage.open(str(job.manifest_key)) as file:
        told = json.loads(file.read())
    assert (told["kind"], told["inputs"], told["model"]) == ("generate", [], None)
    assert "input" not in told
    assert told["facts"]["quality"]["score"] == job.facts["quality"]["score"]

    again = run(runner, prompt="a reggae tune")
    assert again.cached
    assert again.outputs["mix"]["sha256"] == job.outputs["mix"]["sha256"]
