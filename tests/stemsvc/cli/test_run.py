"""`stemsvc run` in this process, and `stemsvc recipes`: real processes, recipes that need no model."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from stemsvc.cli.main import main
from stemsvc.cli.run_files import RunFile, numbered
from stemsvc.cli.step_tree import Standing, StepTree
from stemsvc.errors import BadOutput
from tests.processes import plain_environment, stemsvc
from tests.sounds import tone, write_sound
from workers.workflows.kept import Kept

RECIPE = """name: twice
title: Twice
summary: The song over itself, then at a loudness.
params:
  loudness: {type: number, title: Loudness, least: -40, most: -5, default: -20}
steps:
  - id: double
    do: mix
    with: {tracks: [{source: source}, {source: source, gain_db: -6}]}
  - id: loud
    do: master
    with: {preset: none, loudness: $loudness}
    inputs: {source: double}
outputs: [double, loud]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "twice.yaml").write_text(RECIPE)
    write_sound(tmp_path / "song.flac", tone(1.0, 44100), 44100)
    return tmp_path


def settings(folder: Path) -> dict[str, str]:
    own = {"RECIPES": folder / "twice.yaml", "DATA_DIR": folder / "data", "DEFAULT_MODEL": "demo"}
    return {f"STEMSVC_{name}": str(value) for name, value in own.items()}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command, environment = stemsvc(*arguments), plain_environment(**settings(folder))
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_a_recipe_over_songs_goes_on_where_it_stopped(folder: Path) -> None:
    (folder / "bad.flac").write_bytes(b"no sound")
    first = run(folder, "run", "twice", "song.flac", "bad.flac", "-o", "out", "-p", "loudness=-18", "--json")
    told = json.loads(first.stdout)
    assert (first.returncode, told["state"]) == (1, "failed")
    assert {job: error["code"] for job, error in told["errors"].items()} == {
        "double[1]": "no_samples",
        "loud[1]": "upstream_failed",
    }
    assert [*told["files"]] == ["double[0].mix", "loud[0].master"]
    assert "loud[0]: limiting" in first.stderr

    write_sound(folder / "bad.flac", tone(0.5, 44100), 44100, kind="song.flac")
    second = run(folder, "run", "twice", "song.flac", "bad.flac", "-o", "out", "-p", "loudness=-18")

    assert second.returncode == 0, second.stderr
    assert "loud[1]: limiting" in second.stderr
    assert "double[0]: mixing" not in second.stderr  # it was done
    names = ["song - double mix.flac", "bad - double mix.flac", "song - loud master.flac", "bad - loud master.flac"]
    assert second.stdout.splitlines() == [f"out/{name}" for name in names]
    assert sorted(path.name for path in (folder / "out").iterdir()) == sorted(names)  # nothing is kept of the run


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nothing", "song.flac"), 1, "unknown_recipe: recipe 'nothing' is not one of acapella-clean,"),
        (("twice", "song.flac", "-p", "loudness=loud"), 1, "bad_recipe_params: params.loudness: it must be a number"),
        (("twice", "song.flac", "-p", "volume=1"), 1, "bad_recipe_params: params.volume: twice has loudness"),
        (("twice", "song.flac", "-p", "loudness"), 1, "bad_recipe_params: --param takes NAME=VALUE"),
        (("twice", "none.flac"), 2, "'none.flac' does not exist"),
        (("twice", "https://example.org/song.flac"), 1, "bad_arguments: https://example.org/song.flac is a link"),
        (("twice",), 2, "name a recipe and songs"),
        (("twice", "song.flac", "--resume", "1"), 2, "--resume takes the workflow as it is"),
        (("karaoke", "song.flac", "-p", "model=none"), 1, "unknown_model: steps[0].with: "),
    ],
)
def test_what_is_wrong_is_told_before_any_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, words: str
) -> None:
    monkeypatch.chdir(folder)
    for name, value in settings(folder).items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(main, ["run", *arguments, "-o", "out"])
    assert (done.exit_code, done.stdout) == (code, "")
    assert words in done.stderr
    assert not (folder / "out").exists()


def test_recipes_are_listed_shown_and_checked(folder: Path) -> None:
    listed = json.loads(run(folder, "recipes", "list", "--json").stdout)
    assert [each["name"] for each in listed] == sorted(each["name"] for each in listed)
    assert {"karaoke", "practice", "twice"} <= {each["name"] for each in listed}
    shown = run(folder, "recipes", "show", "practice").stdout
    assert "Practice: " in shown
    assert "others beats.click" in shown
    checked = run(folder, "recipes", "check")
    assert (checked.returncode, checked.stdout.count(" is right\n")) == (0, len(listed))

    (folder / "twice.yaml").write_text(RECIPE.replace("do: master", "do: cook"))
    wrong = run(folder, "recipes", "check", "twice.yaml", "--json")
    assert wrong.returncode == 1
    assert json.loads(wrong.stdout)[0]["error"].startswith("twice.yaml:11: steps[1].do: kind 'cook' is not one of")


def test_two_runs_do_not_share_a_folder(folder: Path) -> None:
    with Kept(folder / "out"), pytest.raises(BadOutput, match="another run works in"), Kept(folder / "out"):
        pass


@pytest.mark.parametrize(
    ("job", "name", "stored", "facts", "wanted"),
    [
        ("master", "master", "x - master.flac", {}, "one - master.flac"),
        ("minus[drums]", "mix", "x.flac", {}, "one - minus drums mix.flac"),
        ("split[1]", "vocals.mp3", "x - vocals.mp3", {"stem": "vocals"}, "two - split vocals.mp3"),
        ("minus[1][drums]", "mix", "x.flac", {}, "two - minus drums mix.flac"),
        ("stems", "stem.mp4", "x - mix.stem.mp4", {"stem": "mix.stem"}, "one - stems mix.stem.mp4"),
        ("a", "../b", "x.json", {}, "one - a .._b.json"),
    ],
)
def test_files_are_named_by_song_step_and_output(
    job: str, name: str, stored: str, facts: dict[str, str], wanted: str
) -> None:
    assert RunFile(job, name, stored, facts).filename(["one.flac", "two.mp3"]) == wanted


def test_songs_of_one_name_are_told_apart() -> None:
    assert numbered(["a.flac", "b.flac", "a.flac", "a.flac"]) == ["a.flac", "b.flac", "2 a.flac", "3 a.flac"]


def test_steps_are_drawn_under_what_they_need(capsys: pytest.CaptureFixture[str]) -> None:
    tree = StepTree("Practice", {"split": [], "minus[drums]": ["split"], "beats": []})
    standings = [Standing("split", "succeeded"), Standing("beats", "running", "analyzing", 0.5)]
    standings.append(Standing("minus[drums]", "waiting_for_inputs"))
    drawn = tree.drawn(standings)
    assert [str(each.label) for each in drawn.children] == ["+ split: succeeded", "> beats: analyzing 50%"]
    assert [str(each.label) for each in drawn.children[0].children] == ["  minus[drums]: waiting_for_inputs"]
    assert [str(tree.drawn(standings, left).label) for left in (None, 61.2)] == [
        "Practice",
        "Practice: about 0:01:02 left",
    ]
    with tree:
        tree.show(standings)
        tree.show(standings, 3.0)
    assert capsys.readouterr().err.splitlines() == [
        "split: succeeded",
        "beats: analyzing",
        "minus[drums]: waiting_for_inputs",
    ]
