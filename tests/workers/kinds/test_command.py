"""`stemsvc mix` and `stemsvc master` in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from stemsvc.errors import StemsvcError
from tests.sounds import tone
from tests.workers.kinds.running import decoded, float_wav
from workers.kinds.command import assigned
from workers.kinds.master.command import master
from workers.kinds.mix.command import mix

RATE = 44100


def run(command: Any, *arguments: object) -> Result:
    return CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)


def test_files_are_mixed_by_their_settings(tmp_path: Path) -> None:
    sound = tone(1.0, RATE)
    first, second = float_wav(tmp_path / "first.wav", sound), float_wav(tmp_path / "second.wav", sound)
    settings = ("--set", "2.gain_db=-6.0206", "--set", "2.start=0.5", "--set", "1.name=lead")
    kept = ("-o", tmp_path / "out", "--format", "wav", "--bit-depth", "float32")
    done = run(mix, first, second, *settings, *kept, "--json")

    told = json.loads(done.stdout)
    path = Path(told["files"]["mix"]["path"])
    assert path == tmp_path / "out" / "first - mix.wav"
    found, _ = decoded(path, tmp_path)
    assert (found[: RATE // 2] == sound[: RATE // 2]).all()
    assert np.abs(found[RATE:] - sound[RATE // 2 :] / 2).max() < 1e-6
    assert [each["name"] for each in told["facts"]["tracks"]] == ["lead", "second.wav"]


def test_a_file_is_mastered(tmp_path: Path) -> None:
    song = float_wav(tmp_path / "song.wav", tone(2.0, RATE))
    done = run(master, song, "--preset", "podcast", "--intensity", 0, "-o", tmp_path, "--json")

    told = json.loads(done.stdout)
    assert told["facts"]["after"]["loudness_lufs"] == pytest.approx(-16, abs=0.1)
    assert (tmp_path / "song - master.flac").stat().st_size > 0


@pytest.mark.parametrize("text", ["gain_db", "=3", "1..x=2", "1.gain_db.x=3"])
def test_a_setting_is_a_name_and_a_value(text: str) -> None:
    with pytest.raises(StemsvcError) as caught:
        assigned(["1.gain_db=2", text], "--set")
    assert caught.value.code == "bad_arguments"


@pytest.mark.parametrize(
    ("setting", "code"),
    [("3.gain_db=1", "bad_arguments"), ("1.gain_db=200", "bad_options"), ("1.gain_db=loud", "bad_arguments")],
)
def test_a_setting_that_can_not_be_is_refused(tmp_path: Path, setting: str, code: str) -> None:
    song = float_wav(tmp_path / "song.wav", tone(0.1, RATE))
    with pytest.raises(StemsvcError) as caught:
        run(mix, song, song, "--set", setting, "-o", tmp_path)
    assert caught.value.code == code
