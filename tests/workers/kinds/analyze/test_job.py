"""Analyses as jobs: with the store, the storage, and what earlier jobs have made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stemsvc.demo.measure import read_sound
from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.record import Job, JobState, input_key, new_job_id
from stemsvc.jobs.spec import Envelope, JobSpec
from stemsvc.jobstore import JobStore
from stemsvc.kinds.analyze import KIND, AnalyzeParams
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from tests.schema import fresh_schema
from tests.sounds import write_sound
from tests.specs import job_of, spec_of
from tests.workers.audio.analysis.music import beat_times, groove
from workers.attempt.runner import Runner
from workers.host.models import Models

Sound = NDArray[np.float32]
RATE = 44100
STEMS = ("drums", "bass", "other", "vocals")


@pytest.fixture
def runner(settings: Settings) -> Iterator[Runner]:
    settings.data_dir.mkdir()
    fresh_schema(settings.resolved_database_url)
    store = JobStore(settings.resolved_database_url)
    yield Runner.of(settings, load_catalog(), store, open_storage(settings), Models())
    store.close()


@pytest.fixture
def song(tmp_path: Path) -> Path:
    mono = groove(beat_times(120.0, 17), rate=RATE)
    return write_sound(tmp_path / "song.flac", np.stack([mono, mono], axis=1) * np.float32(0.4), RATE)


def run(runner: Runner, song: Path, asked: JobSpec, pool: str, owner: str = "ann") -> Job:
    job_id = new_job_id()
    key = input_key(job_id)
    job = job_of(job_id, JobState.QUEUED, asked, pool, key, song.name, song.stat().st_size, owner=owner)
    with song.open("rb") as file:
        runner.storage.put(key, file, "audio/flac")
    runner.store.intake.put(job, "accepted")
    runner.run(job_id, "worker")
    done = runner.store.get(job_id)
    assert done is not None
    assert (done.state, done.error_code) == (JobState.SUCCEEDED, None)
    return done


def heard(runner: Runner, job: Job, name: str, folder: Path) -> Sound:
    path = folder / f"{job.id}-{name}.flac"
    runner.storage.fetch(job.outputs[name]["key"], path)
    return read_sound(path)[0]


def analysis(use_stems: str = "auto", **envelope: Any) -> JobSpec:
    stored = KIND.stored(AnalyzeParams(use_stems, picture=False))
    return JobSpec(KIND.name, stored, Envelope(**envelope), Encoding("flac", "16"), KIND.mirrored(AnalyzeParams()))


@pytest.mark.long
def test_a_separation_can_be_analysed_too_and_its_stems_stay_the_same(
    runner: Runner, song: Path, tmp_path: Path
) -> None:
    plain = run(runner, song, spec_of(stems=STEMS, bit_depth="16"), "separate.demo.cpu")
    asked = spec_of(stems=STEMS, bit_depth="16")
    both = run(runner, song, replace(asked, params={**asked.params, "analyze": True}), "separate.demo.cpu")

    facts = both.facts["analysis"]
    assert (facts["stems"], facts["bpm"]) == ("separated", pytest.approx(120, rel=1e-3))
    assert "analysis" not in plain.facts
    # not bit for bit: where others take the cores, a network computes in fewer threads, and rounds otherwise
    assert plain.outputs.keys() == both.outputs.keys()
    for name in plain.outputs:
        once, again = (heard(runner, job, name, tmp_path) for job in (plain, both))
        assert abs(once - again).max() <= 1 / 32768


@pytest.mark.long
def test_an_analysis_takes_the_stems_of_the_owner_s_earlier_separation(runner: Runner, song: Path) -> None:
    assert run(runner, song, analysis(), "analyze.cpu").facts["stems"] == "none"
    run(runner, song, spec_of(stems=STEMS, bit_depth="16"), "separate.demo.cpu")

    heard = run(runner, song, analysis("always"), "analyze.cpu")
    assert heard.facts["stems"] == "earlier"
    assert heard.facts["bpm"] == pytest.approx(120, rel=1e-3)
    assert run(runner, song, analysis("never"), "analyze.cpu").facts["stems"] == "none"
    assert run(runner, song, analysis(), "analyze.cpu", owner="bob").facts["stems"] == "none"
    assert run(runner, song, analysis(cache=False), "analyze.cpu").facts["stems"] == "none"
