"""Jobs of several inputs, one of which is gone when the work begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.record import Job, JobState, input_key, new_job_id
from stemsvc.jobs.spec import Envelope, JobSpec
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import migrate
from stemsvc.kinds import registry
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from tests.sounds import tone, write_sound
from tests.specs import job_of
from workers.attempt.runner import Runner
from workers.host.models import Models


@pytest.fixture
def runner(settings: Settings) -> Iterator[Runner]:
    settings.data_dir.mkdir()
    migrate(settings.resolved_database_url)
    store = JobStore(settings.resolved_database_url)
    yield Runner.of(settings, load_catalog(), store, open_storage(settings), Models())
    store.close()


def accepted(runner: Runner, name: str, asked: dict[str, Any], roles: tuple[str, ...], song: Path) -> Job:
    """A job whose first input is stored, and whose others were."""
    kind, job_id = registry.get(name), new_job_id()
    params = kind.read(asked)
    spec = JobSpec(name, kind.stored(params), Envelope(), Encoding("flac", "16"), kind.mirrored(params))
    job = job_of(job_id, JobState.QUEUED, spec, f"{name}.cpu", input_key(job_id), song.name, song.stat().st_size)
    inputs = [
        replace(job.inputs[0], role=role, key=job.inputs[0].key if not at else f"{job.inputs[0].key}-{at}")
        for at, role in enumerate(roles)
    ]
    with song.open("rb") as file:
        runner.storage.put(inputs[0].key, file, "audio/flac")
    job = replace(job, inputs=tuple(inputs))
    runner.store.intake.put(job, "accepted")
    return job


@pytest.mark.parametrize(
    ("name", "asked", "roles"),
    [
        ("analyze", {}, ("source", "stem")),
        ("mix", {"tracks": [{}, {}]}, ("track", "track")),
        ("master", {}, ("source", "reference")),
        ("transcribe", {}, ("source", "source")),
        ("export", {}, ("source", "mixture")),
    ],
)
def test_a_source_that_is_gone_when_the_work_begins_is_named(
    runner: Runner, tmp_path: Path, name: str, asked: dict[str, Any], roles: tuple[str, ...]
) -> None:
    song = write_sound(tmp_path / "song.flac", tone(0.2, 44100), 44100)
    job = accepted(runner, name, asked, roles, song)
    runner.run(job.id, "worker")

    done = runner.store.get(job.id)
    assert done is not None
    assert (done.state, done.error_code) == (JobState.FAILED, "input_gone")
    assert song.name in str(done.error_detail)
