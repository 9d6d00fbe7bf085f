"""Manifests, and results that were made before."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemsvc.control.archive import zip_bytes
from stemsvc.control.janitor import Janitor
from stemsvc.jobs.part import Part
from stemsvc.jobs.record import Job, JobState, input_key, new_job_id
from stemsvc.jobs.spec import JobSpec
from stemsvc.jobs.warnings import JobWarning, to_json
from stemsvc.jobstore import JobStore
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from tests.schema import fresh_schema
from tests.sounds import tone, write_sound
from tests.specs import job_of, spec_of
from tests.tagged import FALSE, TAGS, picture, tagged
from workers.attempt.runner import Runner
from workers.audio.decode import Limits, decode
from workers.audio.demux import CONTAINERS
from workers.audio.read_tags import read_tags
from workers.audio.tags import Tags
from workers.host.models import Models


def spec(**changes: Any) -> JobSpec:
    return spec_of(**{"stems": ("vocals", "drums"), "format": "flac", "bit_depth": "16", **changes})


@pytest.fixture(scope="module")
def models() -> Models:
    return Models()


@pytest.fixture
def runner(settings: Settings, models: Models) -> Iterator[Runner]:
    settings = settings.model_copy(update={"price_per_device_hour": 3600.0})
    settings.data_dir.mkdir()
    fresh_schema(settings.resolved_database_url)
    store = JobStore(settings.resolved_database_url)
    yield Runner.of(settings, load_catalog(), store, open_storage(settings), models)
    store.close()


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_sound(tmp_path / "song.flac", tone(2.0, 44100), 44100)


def run(
    runner: Runner, song: Path, asked: JobSpec | None = None, owner: str = "", origin: Any = None, **changes: Any
) -> Job:
    """A job that has succeeded. `origin` says which job's output the song is."""
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
    job = replace(job, inputs=(replace(job.inputs[0], **(origin or {})),))
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
    job = run(runner, song, spec(metadata={"mine": 1}, options=SeparationOptions(overlap=0.25)))
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


def test_the_manifest_says_which_job_a_song_came_from(runner: Runner, song: Path, tmp_path: Path) -> None:
    origin = {"from_job": "0" * 32, "from_output": "vocals"}
    first, second = (run(runner, song, origin=each) for each in (origin, None))

    told_first, told_second = (told(runner, each, tmp_path) for each in (first, second))
    assert second.cached
    assert told_first["inputs"][0].items() >= origin.items()
    assert told_first["input"].items() >= origin.items()
    assert not told_second["inputs"][0].keys() & origin.keys()  # each has its own, also where the files are the same
    assert not told_second["input"].keys() & origin.keys()


def test_previews_are_stored_beside_the_results_and_are_none_of_them(
    runner: Runner, song: Path, tmp_path: Path
) -> None:
    first, second = run(runner, song), run(runner, song)

    assert second.cached
    assert set(first.previews) == set(second.previews) == {"peaks", "pack", "index"}
    assert set(second.outputs) == {"vocals", "drums"}
    for name, file in second.previews.items():
        data = fetched(runner, file["key"], tmp_path)
        assert file["key"].startswith(f"jobs/{second.id}/attempt-1/")
        assert (file["bytes"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert told(runner, second, tmp_path)["previews"][name]["sha256"] == file["sha256"]
    index = json.loads(fetched(runner, second.previews["index"]["key"], tmp_path))
    assert (index["stems"], index["frames"]) == (["vocals", "drums"], 2 * 44100)
    assert zip_bytes(second) < sum(output["bytes"] for output in second.outputs.values()) + 1000
    Janitor(runner.store, runner.storage, 0, 0).sweep()  # they are no orphans
    assert all(runner.storage.size(file["key"]) == file["bytes"] for file in second.previews.values())


def test_a_result_is_taken_without_previews_that_are_gone(runner: Runner, song: Path, tmp_path: Path) -> None:
    first = run(runner, song)
    runner.storage.delete(first.previews["pack"]["key"])
    second = run(runner, song)

    assert (second.cached, second.previews) == (True, {})
    assert told(runner, second, tmp_path)["previews"] == {}


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
        pytest.param({"format": "wav"}, marks=pytest.mark.long),
        {"bit_depth": "24"},
        pytest.param({"sample_rate": 48000}, marks=pytest.mark.long),
        {"cache": False},
        {"options": SeparationOptions(overlap=0.1)},
        pytest.param({"part": Part(start=0.5)}, marks=pytest.mark.long),
        pytest.param({"part": Part(trim_start=True)}, marks=pytest.mark.long),
        pytest.param({"channels": "source"}, marks=pytest.mark.long),
        {"formats": ("flac", "mp3")},
        pytest.param({"tags": False}, marks=pytest.mark.long),
        pytest.param({"title_template": "{stem}"}, marks=pytest.mark.long),
    ],
)
@pytest.mark.long
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


def tags_of(runner: Runner, job: Job, name: str, tmp_path: Path) -> Tags:
    (tmp_path / "stem").write_bytes(fetched(runner, job.outputs[name]["key"], tmp_path))
    return read_tags(tmp_path / "stem", CONTAINERS, tmp_path / "stem.cover")


def test_stems_carry_the_song_s_tags_and_cover_in_every_format(runner: Runner, tmp_path: Path) -> None:
    song, formats = tagged(tmp_path / "song.mp3", TAGS | FALSE, picture()), ("flac", "mp3", "wav", "aac", "opus")
    job = run(runner, song, spec(formats=formats, residual=True))

    assert list(job.outputs) == [f"{stem}.{each}" for stem in ("vocals", "drums", "residual") for each in formats]
    for name, output in job.outputs.items():
        stem, format = name.split(".")
        assert (output["stem"], output["format"]) == (stem, format)
        assert output["crc32"] == zlib.crc32(fetched(runner, output["key"], tmp_path))
        found = tags_of(runner, job, name, tmp_path)
        assert dict(found.fields) == {**TAGS, "title": f"Sóng ({stem})"}
        assert found.cover is not None
        assert found.cover.data == picture()
    assert job.facts == {"clipped_samples": 0}
    assert fetched(runner, job.previews["cover"]["key"], tmp_path) == picture()  # for pages
    # separated once, and each file is what it would be alone
    alone = run(runner, song, spec(stems=("vocals",)))
    vocals = fetched(runner, job.outputs["vocals.flac"]["key"], tmp_path)
    assert fetched(runner, alone.outputs["vocals"]["key"], tmp_path) == vocals
    assert list(told(runner, job, tmp_path)["outputs"]) == list(job.outputs)


def test_tags_may_be_left_out_and_titles_made_otherwise(runner: Runner, tmp_path: Path) -> None:
    song = tagged(tmp_path / "song.flac", TAGS, picture())
    bare = run(runner, song, spec(tags=False))
    other = run(runner, song, spec(title_template="{stem} of {title} by {model}"))

    assert tags_of(runner, bare, "vocals", tmp_path) == Tags()
    assert tags_of(runner, other, "vocals", tmp_path).title == "vocals of Sóng by demo"
    samples = []
    for job in (bare, other):
        (tmp_path / "stem").write_bytes(fetched(runner, job.outputs["vocals"]["key"], tmp_path))
        samples.append(decode(tmp_path / "stem", tmp_path / "stem.f32", Limits(60)).samples())
    np.testing.assert_array_equal(samples[0], samples[1])


def test_the_same_sound_under_other_tags_keeps_its_own(runner: Runner, tmp_path: Path) -> None:
    run(runner, tagged(tmp_path / "one.flac", {"title": "One"}))
    two = run(runner, tagged(tmp_path / "two.flac", {"title": "Two"}))

    assert not two.cached
    assert tags_of(runner, two, "vocals", tmp_path).title == "Two (vocals)"


def test_a_song_without_a_title_is_named_by_its_file(runner: Runner, song: Path, tmp_path: Path) -> None:
    first = run(runner, song)
    again = run(runner, song)
    other = run(runner, song.rename(tmp_path / "Mr. X feat. Y"))

    assert (first.cached, again.cached, other.cached) == (False, True, False)
    assert tags_of(runner, again, "vocals", tmp_path).title == "song (vocals)"
    assert tags_of(runner, other, "vocals", tmp_path).title == "Mr. X feat. Y (vocals)"
    # the name of a song that has a title is in none of its files
    titled = tagged(tmp_path / "titled.flac", {"title": "T"})
    assert not run(runner, titled).cached
    assert run(runner, titled.rename(tmp_path / "other.flac")).cached
    assert not run(runner, song.parent / "Mr. X feat. Y", spec(tags=False)).cached
