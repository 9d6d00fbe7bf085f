"""Manifests, and results that were made before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemsvc.jobs.part import Part
from stemsvc.jobs.record import Job, JobState, input_key, new_job_id
from stemsvc.jobs.spec import JobSpec
from stemsvc.jobs.warnings import JobWarning, to_json
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import migrate
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from tests.sounds import tone, write_sound
from tests.specs import job_of, spec_of
from workers.attempt.runner import Runner
from workers.audio.decode import Limits, decode
from workers.kinds.separate.models import Models


def spec(**changes: Any) -> JobSpec:
    return spec_of(**{"stems": ("vocals", "drums"), "format": "flac", "bit_depth": "16", **changes})


@pytest.fixture(scope="module")
def models() -> Models:
    return Models()


@pytest.fixture
def runner(settings: Settings, models: Models) -> Iterator[Runner]:
    settings = settings.model_copy(update={"price_per_device_hour": 3600.0})
    settings.data_dir.mkdir()
    migrate(settings.resolved_database_url)
    store = JobStore(settings.resolved_database_url)
    yield Runner.of(settings, load_catalog(), store, open_storage(settings), models)
    store.close()


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_sound(tmp_path / "song.flac", tone(2.0, 44100), 44100)


def run(runner: Runner, song: Path, asked: JobSpec | None = None, owner: str = "", **changes: Any) -> Job:
    job_id = new_job_id()
    job = job_of(
        job_id,
        JobState.QUEUED,
        asked or spec(),
        "separate.demo.cpu",
        input_key(job_id),
        song.name,
        song.stat().st_size,
        owner=owner,
        **changes,
    )
    with song.open("rb") as file:
        runner.storage.put(job.inputs[0].key, file, "audio/flac")
    runner.store.intake.put(job, "accepted")
    runner.run(job_id, "worker")
    done = runner.store.get(job_id)
    assert done is not None
    assert (done.state, done.error_code) == (JobState.SUCCEEDED, None)
    return done


def fetched(runner: Runner, key: str | None, tmp_path: Path) -> bytes:
    assert key is not None
    runner.storage.fetch(key, tmp_path / "fetched")
    return (tmp_path / "fetched").read_bytes()


def told(runner: Runner, job: Job, tmp_path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(fetched(runner, job.manifest_key, tmp_path))
    return content


def test_the_manifest_says_how_the_stems_were_made(runner: Runner, song: Path, tmp_path: Path) -> None:
    job = run(runner, song, spec(metadata={"mine": 1}))
    manifest = told(runner, job, tmp_path)

    assert manifest["job_id"] == job.id
    entry = load_catalog().get("demo")
    weights = hashlib.sha256(entry.files[0].path.read_bytes()).hexdigest()  # type: ignore[union-attr]
    assert manifest["model"]["weights_sha256"] == [weights]
    assert manifest["input"]["sha256"] == hashlib.sha256(song.read_bytes()).hexdigest() == job.inputs[0].sha256
    assert manifest["versions"]["demucs"] == "4.1.0"
    assert manifest["options"]["separation"]["overlap"] == 0.25
    assert "metadata" not in manifest["options"]  # what is the client's stays in its job
    for name in ("vocals", "drums"):
        output = manifest["outputs"][name]
        assert output["sha256"] == hashlib.sha256(fetched(runner, job.outputs[name]["key"], tmp_path)).hexdigest()
        assert output["clipped"] is (output["clipped_samples"] > 0)
        assert 0 <= output["peak"] < 2
    assert manifest["timings_seconds"]["separating"] > 0
    assert manifest["cost"] == pytest.approx(manifest["device_seconds"], abs=1e-3)  # at 1 a second


def test_the_same_again_is_not_separated_again(runner: Runner, song: Path, tmp_path: Path) -> None:
    first = run(runner, song)
    second = run(runner, song, spec(metadata={"other": 1}, filename_template="{stem}"))

    assert (first.cached, second.cached) == (False, True)
    assert second.outputs.keys() == first.outputs.keys()
    for name, output in second.outputs.items():
        assert output["key"].startswith(f"jobs/{second.id}/")
        assert fetched(runner, output["key"], tmp_path) == fetched(runner, first.outputs[name]["key"], tmp_path)
    manifest = told(runner, second, tmp_path)
    assert (manifest["job_id"], manifest["cached_from"]) == (second.id, first.id)
    (account,) = runner.store.usage.accounts(0)
    assert (account.total, account.cached) == (2, 1)


def test_a_job_on_a_damaged_file_says_so_also_where_it_is_taken_from_an_earlier_one(
    runner: Runner, song: Path, tmp_path: Path
) -> None:
    data = write_sound(tmp_path / "song.wav", tone(2.0, 44100), 44100).read_bytes()
    cut = tmp_path / "cut.wav"
    cut.write_bytes(data[: len(data) // 2])
    jobs = [run(runner, cut) for _ in range(2)]

    assert [job.cached for job in jobs] == [False, True]
    for job in jobs:
        (warning,) = job.warnings
        assert (warning.code, "break" in warning.detail) == ("audio_truncated", True)
        assert told(runner, job, tmp_path)["warnings"] == to_json(job.warnings)
    assert run(runner, song).warnings == ()


def test_a_job_keeps_the_warnings_that_it_was_made_with(runner: Runner, song: Path) -> None:
    early = JobWarning("demo_model", "nothing better could be had")

    assert run(runner, song, warnings=(early,)).warnings == (early,)


def test_each_of_two_same_jobs_lives_on_its_own(runner: Runner, song: Path, tmp_path: Path) -> None:
    first, second = run(runner, song), run(runner, song)
    runner.storage.delete(f"jobs/{first.id}/")
    runner.store.delete(first.id)

    assert fetched(runner, second.outputs["vocals"]["key"], tmp_path)
    assert run(runner, song).cached  # taken from the second


@pytest.mark.parametrize(
    "change",
    [
        {"stems": ("vocals",)},
        {"format": "wav"},
        {"bit_depth": "24"},
        {"sample_rate": 48000},
        {"cache": False},
        {"options": SeparationOptions(overlap=0.1)},
        {"part": Part(start=0.5)},
        {"part": Part(trim_start=True)},
        {"channels": "source"},
    ],
)
def test_another_wish_is_another_result(runner: Runner, song: Path, change: dict[str, Any]) -> None:
    run(runner, song)
    assert not run(runner, song, spec(**change)).cached


def test_another_key_gets_nothing_of_it(runner: Runner, song: Path) -> None:
    run(runner, song, owner="alice")
    assert not run(runner, song, owner="bob").cached
    assert run(runner, song, owner="alice").cached


def test_a_result_whose_stems_are_gone_is_made_again(runner: Runner, song: Path, tmp_path: Path) -> None:
    first = run(runner, song)
    runner.storage.delete(first.outputs["vocals"]["key"])
    second = run(runner, song)

    assert not second.cached
    assert fetched(runner, second.outputs["vocals"]["key"], tmp_path)


@pytest.mark.parametrize("rate", [22050, 48000])
def test_stems_come_at_the_rate_asked_for(runner: Runner, song: Path, tmp_path: Path, rate: int) -> None:
    job = run(runner, song, spec(stems=("vocals", "no_vocals"), residual=True, sample_rate=rate))

    sums = []
    for output in job.outputs.values():
        assert (output["sample_rate"], output["frames"]) == (rate, 2 * rate)
        (tmp_path / "stem.flac").write_bytes(fetched(runner, output["key"], tmp_path))
        sums.append(decode(tmp_path / "stem.flac", tmp_path / "stem.f32", Limits(60)).samples())
    song_then = write_sound(tmp_path / "then.flac", tone(2.0, rate), rate, kind="song.flac")
    mixture = decode(song_then, tmp_path / "then.f32", Limits(60)).samples()
    inner = slice(2000, -2000)  # the edges ring
    assert np.abs(np.sum(sums, axis=0)[inner] - mixture[inner]).max() < 0.01
