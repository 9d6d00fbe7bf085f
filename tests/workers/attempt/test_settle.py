"""Jobs that name no model: the usual one, fetched on first use, or the demo model and a warning."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from stemsvc.jobs.pools import single
from stemsvc.jobs.record import Job, JobState, new_job_id
from stemsvc.jobs.spec import JobSpec
from stemsvc.jobstore import JobStore
from stemsvc.kinds.separate.kind import KIND, SeparateParams, separation
from stemsvc.models.available import Availability
from stemsvc.models.catalog import DEMO_WEIGHTS, Catalog, load_catalog
from stemsvc.models.pull import Puller
from stemsvc.models.store import WeightStore
from stemsvc.settings import Settings
from stemsvc.storage.local import LocalStorage
from tests.hub import COMMIT, Hub, hub
from tests.schema import fresh_schema
from tests.sounds import tone, write_sound
from tests.specs import job_of
from workers.attempt.lease import LeaseLost
from workers.attempt.runner import Runner
from workers.attempt.settle import settle_here
from workers.attempt.stopwatch import Stopwatch
from workers.host.models import Models

REPOSITORY = "someone/songs"
WEIGHTS = DEMO_WEIGHTS.read_bytes()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has small weights for htdemucs."""
    from huggingface_hub import constants

    with hub({f"{REPOSITORY}/net.safetensors": WEIGHTS}) as each:
        monkeypatch.setattr(constants, "ENDPOINT", each.endpoint)
        template = each.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield each


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """The bundled catalog, with these small weights for htdemucs."""
    own = load_catalog().get("htdemucs").model_dump(mode="json", exclude={"name"}, exclude_none=True)
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    source = {"hub": REPOSITORY, "file": "net.safetensors", "revision": COMMIT, "sha256": sha256, "size": len(WEIGHTS)}
    path = tmp_path / "catalog.yaml"
    path.write_text(yaml.safe_dump({"models": {"htdemucs": {**own, "segment_seconds": 3, "files": [source]}}}))
    return load_catalog(path)


@pytest.fixture
def weights(tmp_path: Path) -> WeightStore:
    return WeightStore(tmp_path / "weights")


@pytest.fixture
def runner(settings: Settings, catalog: Catalog, weights: WeightStore) -> Iterator[Runner]:
    settings.data_dir.mkdir()
    fresh_schema(settings.resolved_database_url)
    store = JobStore(settings.resolved_database_url)
    storage = LocalStorage(settings.data_dir / "objects", b"key")
    yield Runner.of(settings, catalog, store, storage, Models(puller=Puller(weights, pauses=())))
    store.close()


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_sound(tmp_path / "song.flac", tone(1.0, 44100), 44100)


def run(runner: Runner, song: Path, params: SeparateParams, pool: str = "separate.htdemucs.cpu") -> Job:
    """The job after one attempt; `params` are what the client asked for."""
    spec: JobSpec = separation(KIND.check(params, ("source",), runner.working.catalog))
    spec = replace(spec, encoding=replace(spec.encoding, format="flac"))
    job_id = new_job_id()
    with song.open("rb") as file:
        runner.storage.put(f"jobs/{job_id}/input", file, "audio/flac")
    runner.store.intake.put(job_of(job_id, JobState.QUEUED, spec, pool, f"jobs/{job_id}/input", song.name), "accepted")
    runner.run(job_id, "worker")
    job = runner.store.get(job_id)
    assert job is not None
    return job


def manifest(runner: Runner, job: Job, folder: Path) -> dict[str, Any]:
    runner.storage.fetch(str(job.manifest_key), folder / "manifest.json")
    told: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return told


def codes(job: Job) -> list[str]:
    return [each.code for each in job.warnings]


OPEN = SeparateParams(stems=("vocals",))


def test_the_usual_model_is_fetched_on_first_use_with_progress(
    served: Hub, runner: Runner, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, int, int]] = []
    report = Stopwatch.report

    def noted(self: Stopwatch, stage: str, done: int, total: int) -> None:
        told.append((stage, done, total))
        report(self, stage, done, total)

    monkeypatch.setattr(Stopwatch, "report", noted)
    job, again = run(runner, song, OPEN), run(runner, song, replace(OPEN, residual=True))

    assert (job.state, job.spec.model, codes(job)) == (JobState.SUCCEEDED, "htdemucs", [])
    assert ("downloading", len(WEIGHTS), len(WEIGHTS)) in told
    converting = [(done, of) for stage, done, of in told if stage == "converting"]
    assert converting == sorted(converting)
    assert converting[-1][0] == converting[-1][1] > 20
    assert again.state is JobState.SUCCEEDED
    assert served.bodies() == 1


@pytest.mark.long
def test_where_it_can_not_be_had_the_demo_model_does_the_work_and_the_job_says_so(
    served: Hub, runner: Runner, song: Path, tmp_path: Path, weights: WeightStore
) -> None:
    served.denied.add(REPOSITORY)
    job, again = run(runner, song, OPEN), run(runner, song, OPEN)

    for each in (job, again):
        assert (each.state, each.spec.model, codes(each)) == (JobState.SUCCEEDED, "demo", ["demo_model"])
        assert "refused" in each.warnings[0].detail or "gated" in each.warnings[0].detail
        assert manifest(runner, each, tmp_path)["model"]["name"] == "demo"
    assert (job.cached, again.cached) == (False, True)
    assert len(served.requests) == 1  # for some minutes, nobody asks again

    # of such stems a job that wants the demo model takes what it wants, without the warning
    wanted = run(runner, song, replace(OPEN, model="demo"), "separate.demo.cpu")
    assert (wanted.spec.model, wanted.cached, codes(wanted)) == ("demo", True, [])

    # and once the weights can be had again, nobody gets them any more
    served.denied.clear()
    (weights.folder / "unavailable.json").unlink()
    better = run(runner, song, OPEN)
    assert (better.spec.model, better.cached, codes(better)) == ("htdemucs", False, [])


def test_who_names_the_model_gets_it_or_an_error(
    served: Hub, runner: Runner, song: Path, catalog: Catalog, weights: WeightStore
) -> None:
    served.denied.add(REPOSITORY)

    job = run(runner, song, replace(OPEN, model="htdemucs"))

    assert (job.state, job.error_code, job.spec.model) == (JobState.FAILED, "weights_denied", "htdemucs")
    # and who leaves the choice to the service gets another one for a while
    assert Availability(Puller(weights)).refused(catalog.get("htdemucs"))


def test_a_pinned_default_is_named_by_everybody(
    served: Hub, runner: Runner, song: Path, catalog: Catalog, tmp_path: Path
) -> None:
    served.denied.add(REPOSITORY)
    pinned = replace(
        runner, working=replace(runner.working, catalog=load_catalog(tmp_path / "catalog.yaml", "htdemucs"))
    )

    assert run(pinned, song, OPEN).error_code == "weights_denied"


def test_a_worker_of_the_demo_model_alone_says_why_it_took_that(served: Hub, runner: Runner, song: Path) -> None:
    # given a pool with a precision of its own, which is not the client's
    pool = single("demo", "cpu").model_copy(update={"precision": "fp32"})
    own = replace(runner, working=replace(runner.working, pools=(pool,)))

    job = run(own, song, OPEN, pool.name)

    assert KIND.read(job.params).separation.precision == "auto"
    assert (job.spec.model, codes(job)) == ("demo", ["demo_model"])
    assert "no worker serves htdemucs" in job.warnings[0].detail
    assert not served.requests


def test_a_job_that_is_lost_while_its_weights_come_is_nobody_s_failure(
    served: Hub, catalog: Catalog, weights: WeightStore
) -> None:
    def lost(done: int, total: int | None) -> None:
        raise LeaseLost("job")

    models = Models(puller=Puller(weights, pauses=()))
    with pytest.raises(LeaseLost):
        models.lacking(catalog.get("htdemucs"), lost)

    assert not (weights.folder / "unavailable.json").exists()


def test_without_a_service_it_is_the_same(served: Hub, catalog: Catalog, weights: WeightStore) -> None:
    params, quiet = KIND.check(OPEN, ("source",), catalog), _quiet()
    offline, online = (Models(puller=Puller(weights, offline=each)) for each in (True, False))

    taken, warning = settle_here(KIND, params, catalog, offline, quiet)
    assert (taken.model, "STEMSVC_OFFLINE" in warning) == ("demo", True)
    assert settle_here(KIND, params, catalog, online, quiet) == (params, "")


def _quiet() -> Callable[[str, int, int], None]:
    return lambda stage, done, total: None
