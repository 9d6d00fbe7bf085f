"""A link that several jobs of a workflow take is fetched once; each of them has a copy of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stemsvc.jobs.pools import FETCH, INPUTS
from stemsvc.jobs.record import WAITING_FOR_INPUTS, Job, JobState, new_job_id
from stemsvc.jobs.spec import Input
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.bounds import Bounds
from stemsvc.jobstore.engine import migrate
from stemsvc.jobstore.intake import NewStep
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from stemsvc.storage.local import LocalStorage
from stemsvc.workflows.record import Workflow
from tests.sounds import tone, write_sound
from tests.specs import spec_of
from workers.attempt.runner import Runner
from workers.host.models import Models
from workers.sources.protocol import Fetched, Order

URL, POOL = "https://example.org/song.flac", "separate.demo.cpu"


@pytest.fixture
def runner(settings: Settings) -> Iterator[Runner]:
    settings.data_dir.mkdir()
    migrate(settings.resolved_database_url)
    store = JobStore(settings.resolved_database_url)
    storage = LocalStorage(settings.data_dir / "objects", b"key")
    yield Runner.of(settings, load_catalog(), store, storage, Models())
    store.close()


@pytest.fixture
def fetches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    song = write_sound(tmp_path / "song.flac", tone(1.0, 44100), 44100)
    found: list[str] = []

    def fetched(order: Order, on_progress: object) -> Fetched:
        found.append(order.url)
        return Fetched(str(shutil.copy(song, Path(order.folder) / "song.flac")), "song.flac", 1.0)

    monkeypatch.setattr("workers.attempt.fetch.fetch", fetched)
    return found


def put(store: JobStore) -> tuple[str, str, str]:
    """A job that fetches the link, one that wants the link alone, one that wants an output of the first as well."""
    workflow_id, (first, second, third) = new_job_id(), (new_job_id() for _ in range(3))
    linked = Input("track", url=URL)
    awaited = replace(linked, from_job=first)
    made = Input("", from_job=first, from_output="vocals")

    def waiting(job_id: str, step: str, *inputs: Input) -> NewStep:
        job = Job(job_id, JobState.QUEUED, spec_of(), INPUTS, inputs, workflow_id=workflow_id, step=step)
        return NewStep(replace(job, next_pool=POOL, stage=WAITING_FOR_INPUTS), "accepted", waits_for=(first,))

    fetcher = Job(first, JobState.QUEUED, spec_of(), FETCH, (linked,), workflow_id=workflow_id, step="a")
    steps = [NewStep(replace(fetcher, next_pool=POOL), "accepted")]
    steps += [waiting(second, "b", awaited), waiting(third, "c", made, awaited)]
    store.intake.put_workflow(Workflow(workflow_id, "", "song", {"steps": []}), steps, Bounds(100, 100))
    return first, second, third


def job_of(store: JobStore, job_id: str) -> Job:
    job = store.get(job_id)
    assert job is not None
    return job


def test_a_link_is_fetched_once_and_each_job_has_its_own_copy(runner: Runner, fetches: list[str]) -> None:
    first, second, third = put(runner.store)
    assert runner.store.outbox.due() == [first]

    runner.run(first, "fetcher")

    assert fetches == [URL]
    one, two, three = (job_of(runner.store, each) for each in (first, second, third))
    assert (one.pool, two.pool, two.stage) == (POOL, POOL, "queued")
    assert (two.inputs[0].name, two.inputs[0].key) == ("song.flac", f"jobs/{second}/input")
    assert two.stored_bytes == two.inputs[0].bytes == runner.storage.size(two.inputs[0].key) != 0
    # the third has the link's track, and still waits for what the first makes of it
    assert (three.pool, three.inputs[0].awaited) == (INPUTS, True)
    assert three.inputs[1].key == f"jobs/{third}/input-1"
    assert sorted(runner.store.outbox.due()) == sorted([first, second])
    taken = runner.store.leases.take(first, "worker", 60)
    assert taken is not None
    assert runner.store.leases.succeed(taken[1], {}, {"vocals": {"key": "x/vocals.flac", "bytes": 5}})
    assert job_of(runner.store, third).pool == POOL


@pytest.mark.parametrize("how", ["fails", "canceled", "gone"])
def test_where_the_fetcher_ends_before_the_others_fetch_for_themselves(
    runner: Runner, fetches: list[str], how: str
) -> None:
    first, second, third = put(runner.store)
    if how == "canceled":
        runner.store.cancel(first, "by the client")
    elif how == "fails":
        taken = runner.store.leases.take(first, "fetcher", 60)
        assert taken is not None
        runner.store.leases.fail(taken[1], "source_unavailable", "no")
    else:
        runner.store.delete(first)
        assert runner.store.workflows.mend() == 2

    assert job_of(runner.store, second).pool == FETCH
    assert job_of(runner.store, third).finished  # it needs what the first was to make
    runner.run(second, "fetcher")
    assert fetches == [URL]
    assert (job_of(runner.store, second).pool, job_of(runner.store, second).inputs[0].name) == (POOL, "song.flac")
