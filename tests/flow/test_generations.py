"""Music from words, end to end on real processes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import httpx
import pytest
from pytest_celery import CeleryTestSetup

from tests.flow.conftest import Service
from tests.processes import plain_environment, stemsvc, wait_for
from tests.workers.kinds.generate.musicgen.tiny import LICENCE, files_in


@pytest.fixture
def models() -> tuple[str, ...]:
    """What the worker serves; kinds without models are named as models are."""
    return ("generate", "master")


@pytest.fixture
def backing() -> dict[str, str]:
    return {"STEMSVC_RESULT_CACHE": "true"}


@pytest.fixture
def generator(tmp_path_factory: pytest.TempPathFactory, backing: dict[str, str]) -> None:
    """A tiny MusicGen in the catalog of api and worker."""
    backing["STEMSVC_CATALOG"] = str(files_in(tmp_path_factory.mktemp("generator")))
    backing["STEMSVC_ACCEPT_LICENCES"] = LICENCE
    backing["STEMSVC_RESULT_CACHE"] = "false"


@pytest.mark.long
@pytest.mark.usefixtures("generator")
def test_a_generator_whose_worker_is_killed_makes_the_same_bytes_again(
    environment: dict[str, str], running: Service, celery_setup: CeleryTestSetup
) -> None:
    client = running.client
    asked = {"model": "tiny", "duration": 40, "seed": 5}
    told = httpx.get(f"{client.url}/v1/models", timeout=30).json()["generators"]
    assert next(each for each in told if each["name"] == "tiny")["accepted"]
    whole = client.finished(client.create_generation("a dark tune", **asked).id, timeout=240)
    assert (whole.facts["model"], whole.facts["duration"]) == ("tiny", 40)

    job = client.create_generation("a dark tune", **asked)

    def generating() -> bool:
        progress = client.job(job.id).progress
        return progress.stage == "generating" and 0 < progress.fraction < 0.9

    wait_for("tokens", generating, 120)
    celery_setup.worker.kill()
    celery_setup.worker.restart()
    again = client.finished(job.id, timeout=240)
    assert again.files["mix"].sha256 == whole.files["mix"].sha256
    assert client.job(job.id).attempt > 1


@pytest.mark.long
def test_words_become_music_and_music_is_worked_on(running: Service, tmp_path: Path) -> None:
    client = running.client
    beat = client.finished(client.create_generation("a dark trap beat at 140", duration=6, stems=True).id, timeout=240)
    assert set(beat.files) == {"mix", "drums", "bass", "other", "vocals", "score"}
    assert beat.facts["quality"]["heard"]["bpm"] == pytest.approx(140, rel=0.01)

    varied = client.finished(client.create_generation(variation_of=beat, change="drums", seed=3).id, timeout=240)
    assert (varied.facts["bpm"], varied.facts["key"]) == (140, beat.facts["key"])
    mastered = client.finished(
        client.create_master({"job_id": beat.id, "output": "mix"}, preset="club").id, timeout=240
    )
    assert set(mastered.files) == {"master"}

    command = stemsvc(
        "generate", "a dark trap beat at 140", "--duration", "6", "--stems", "--json", "-o", str(tmp_path / "made")
    )
    done = subprocess.run(
        [*command, "--url", client.url],
        env=plain_environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    assert json.loads(done.stdout)["facts"]["seed"] == beat.facts["seed"]
    assert len(list((tmp_path / "made").iterdir())) == 6
