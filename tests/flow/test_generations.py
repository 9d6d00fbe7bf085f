"""Music from words, end to end on real processes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.flow.conftest import Service
from tests.processes import plain_environment, stemsvc


@pytest.fixture
def models() -> tuple[str, ...]:
    """What the worker serves; kinds without models are named as models are."""
    return ("generate", "master")


@pytest.fixture
def backing() -> dict[str, str]:
    return {"STEMSVC_RESULT_CACHE": "true"}


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
