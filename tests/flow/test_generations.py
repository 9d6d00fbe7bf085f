"""Music from words, end to end on real processes."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import soundfile
from stemsvc_client import Client, Job

from stemsvc.embedded import background
from stemsvc.embedded.ports import free_port
from stemsvc.settings import Settings
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


@pytest.mark.long
def test_fifty_at_once_drain_with_none_lost_and_each_right_in_length(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path / "data", api_port=free_port(), pools="generate:cpu", offline=True, result_cache=False
    )
    wanted = {f"{number}": 5 + number % 3 for number in range(50)}  # seconds
    stack = background.start(settings)
    try:
        with Client(stack.url, timeout=60) as client:

            def sent(name: str) -> Job:
                metadata = {"name": name}
                return client.create_generation(
                    "pop at 120", duration=wanted[name], seed=int(name), metadata=metadata, idempotency_key=name
                )

            with ThreadPoolExecutor(50) as pool:
                jobs = dict(zip(wanted, pool.map(sent, wanted), strict=True))
            assert len({job.id for job in jobs.values()}) == len(wanted)
            digests = set()
            for name, job in jobs.items():
                done = client.finished(job.id, timeout=900)
                data = httpx.get(done.files["mix"].url, timeout=60).raise_for_status().content
                digests.add(hashlib.sha256(data).hexdigest())
                info = soundfile.info(io.BytesIO(data))
                assert (done.attempt, info.frames) == (1, wanted[name] * info.samplerate), name
            assert len(digests) == len(wanted)  # nobody got another one's piece
            listed = [job.id for job in client.jobs(kind="generate")]
            assert sorted(listed) == sorted(job.id for job in jobs.values())
    finally:
        background.stop(settings)
