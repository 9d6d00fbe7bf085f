"""`stemsvc transcribe` and `stemsvc export`, in this process."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.workers.kinds.running import float_wav
from workers.kinds.export.command import export
from workers.kinds.transcribe.command import transcribe


@pytest.fixture
def stems(tmp_path: Path) -> list[str]:
    time = np.arange(44_100) / 44_100
    bass = (0.3 * np.sin(2 * np.pi * 55 * time))[:, None].astype(np.float32)
    return [
        str(float_wav(tmp_path / f"song - {name}.wav", bass * gain)) for name, gain in (("bass", 1), ("other", 0.5))
    ]


def test_a_transcription_writes_a_file_for_each_stem_and_one_for_all(tmp_path: Path, stems: list[str]) -> None:
    done = CliRunner().invoke(transcribe, [*stems, "-o", str(tmp_path / "out"), "--bpm", "90", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert set(told["files"]) == {"bass", "other", "all", "notes", "piano_roll"}
    assert told["facts"]["bpm"] == 90
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert "song - bass - all.mid" in made


def test_an_export_writes_a_file_for_each_target(tmp_path: Path, stems: list[str]) -> None:
    arguments = [
        *stems,
        "-o",
        str(tmp_path / "out"),
        "--to",
        "stem.mp4",
        "--to",
        "reaper",
        "--bpm",
        "90",
        "--title",
        "S",
    ]
    done = CliRunner().invoke(export, arguments)
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "song - bass - mix.stem.mp4",
        "song - bass - Reaper.zip",
    }


@pytest.mark.parametrize("wrong", [["--stems", "kazoo"], ["--stems", "bass"], ["--strength", "7"], ["--bpm", "0"]])
def test_what_cannot_be_done_is_said_before_the_work(tmp_path: Path, stems: list[str], wrong: list[str]) -> None:
    done = CliRunner().invoke(transcribe, [*stems, "-o", str(tmp_path / "out"), *wrong])
    assert done.exit_code != 0
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True
