"""The Celery tasks by the names under which messages come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.record import Job, JobState, input_key, new_job_id
from stemsvc.jobs.spec import Envelope, JobSpec
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import migrate
from stemsvc.kinds.master import KIND
from stemsvc.queue.celery import Tasks
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from tests.sounds import tone, write_sound
from tests.specs import job_of
from workers import tasks


@pytest.fixture
def store(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobStore]:
    """The store of the runner that the tasks make for this process."""
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("STEMSVC_BROKER_URL", settings.broker_url)
    settings.data_dir.mkdir()
    migrate(settings.resolved_database_url)
    tasks.runner.cache_clear()
    own = JobStore(settings.resolved_database_url)
    yield own
    own.close()
    if tasks.runner.cache_info().currsize:
        tasks.runner().store.close()
    tasks.runner.cache_clear()


@pytest.fixture
def job(store: JobStore, settings: Settings, tmp_path: Path) -> Job:
    """A queued job, as a dispatcher of any release publishes it: by its id."""
    song = write_sound(tmp_path / "song.flac", tone(0.5, 44100), 44100)
    job_id, params = new_job_id(), KIND.read({"preset": "none"})
    spec = JobSpec(KIND.name, KIND.stored(params), Envelope(), Encoding("flac", "16"), KIND.mirrored(params))
    made = job_of(job_id, JobState.QUEUED, spec, "master.cpu", input_key(job_id), song.name, song.stat().st_size)
    with song.open("rb") as file:
        open_storage(settings).put(input_key(job_id), file, "audio/flac")
    store.intake.put(made, "accepted")
    return made


def registered(name: str) -> object:
    """The task that a worker runs for messages of that name."""
    app = Celery("worker", set_as_current=False)
    app.finalize()
    return app.tasks[name]


@pytest.mark.parametrize("name", [Tasks.RUN, Tasks.SEPARATE, Tasks.FETCH])
def test_a_message_of_this_release_or_the_one_before_runs_the_job(name: str, store: JobStore, job: Job) -> None:
    task = registered(name)
    task.apply(args=[job.id], throw=True)  # type: ignore[attr-defined]

    done = store.get(job.id)
    assert done is not None
    assert (done.state, done.error_code, set(done.outputs)) == (JobState.SUCCEEDED, None, {"master"})


def test_a_delivery_that_release_0_1_published_is_taken_and_does_nothing(store: JobStore, job: Job) -> None:
    registered(Tasks.DELIVER).apply(args=["nonesuch"], throw=True)  # type: ignore[attr-defined]

    untouched = store.get(job.id)
    assert untouched is not None
    assert untouched.state is JobState.QUEUED
