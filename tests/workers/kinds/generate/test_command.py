"""`stemsvc generate`, in this process."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from workers.kinds.generate.command import generate


def test_a_command_writes_the_piece_and_its_score_which_makes_variations(tmp_path: Path) -> None:
    arguments = ["funk in E minor", "--duration", "5", "-o", str(tmp_path), "--format", "wav", "--json"]
    done = CliRunner().invoke(generate, arguments)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["facts"]["genre"], told["facts"]["key"]) == ("funk", "E minor")
    assert {path.name for path in tmp_path.iterdir()} == {
        "funk in E minor - mix.wav",
        "funk in E minor - score.json",
    }

    score = tmp_path / "funk in E minor - score.json"
    varied = [*arguments[1:], "--variation-of", str(score), "--change", "vocals", "--seed", "4"]
    done = CliRunner().invoke(generate, varied)
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)["facts"]
    assert (facts["genre"], facts["key"], facts["changes"]) == ("funk", "E minor", {"vocals": 4})


def test_what_cannot_be_made_is_said_before_the_work(tmp_path: Path) -> None:
    done = CliRunner().invoke(generate, ["jazz", "--bpm", "20", "-o", str(tmp_path / "out")])
    assert done.exit_code != 0
    assert not (tmp_path / "out").exists()
