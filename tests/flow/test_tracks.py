"""A song's stems become notes and projects, end to end on real processes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import mido
import pytest

import stemsvc.demo
from tests.flow.conftest import Service

SONG = Path(stemsvc.demo.__file__).parent / "song" / "mixture.flac"
STEMS = ["drums", "bass", "other", "vocals"]


@pytest.fixture
def models() -> tuple[str, ...]:
    """What the worker serves; kinds without models are named as models are."""
    return ("demo", "transcribe", "export")


@pytest.fixture
def backing() -> dict[str, str]:
    return {"STEMSVC_RESULT_CACHE": "true"}


@pytest.mark.long
def test_the_stems_of_a_job_become_midi_and_projects(running: Service, tmp_path: Path) -> None:
    client = running.client
    stems = client.finished(client.submit(SONG, model="demo", end=6, format="wav").id, timeout=240)

    notes = client.finished(client.create_transcription([stems], quantise="1/16").id, timeout=240)
    assert set(notes.files) == {*STEMS, "all", "notes", "piano_roll"}
    file = mido.MidiFile(client.save(notes, "all", tmp_path))
    assert sorted(track.name for track in file.tracks[1:]) == sorted(STEMS)
    told = json.loads(client.save(notes, "notes", tmp_path).read_text())
    assert {stem["name"]: len(stem["notes"]) for stem in told["stems"]} == notes.facts["notes"]
    assert sum(notes.facts["notes"].values()) > 10

    made = client.finished(client.create_export([stems], ["reaper", "stem.mp4"], title="Song").id, timeout=240)
    assert made.files["stem.mp4"].filename.endswith(".stem.mp4")
    with zipfile.ZipFile(client.save(made, "reaper", tmp_path)) as archive:
        assert "Song/Song.rpp" in archive.namelist()
        assert len([name for name in archive.namelist() if name.endswith(".wav")]) == len(STEMS)

    again = client.finished(client.create_transcription([stems], quantise="1/16").id, timeout=240)
    assert again.cached
