"""What the demo separates, by which model, and what it says of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from stemsvc.cli import show_demo
from stemsvc.demo import SONG
from tests.processes import plain_environment, stemsvc
from tests.sounds import tone, write_sound


@pytest.mark.parametrize(
    ("own", "model", "expected"), [(False, None, "demo"), (True, None, ""), (True, "mdx_extra", "mdx_extra")]
)
def test_the_bundled_song_gets_the_demo_model_and_any_other_the_best(
    own: bool, model: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(show_demo, "_separate", lambda *arguments: asked.append(arguments))
    song = tmp_path / "song.flac"

    show_demo.run_demo(song if own else None, tmp_path, "http://127.0.0.1:1", model)

    assert asked == [("http://127.0.0.1:1", song if own else SONG, tmp_path, expected, None)]


@pytest.mark.long
def test_a_song_of_one_s_own_without_a_network_is_done_by_the_demo_model_which_is_said(tmp_path: Path) -> None:
    song = write_sound(tmp_path / "song.flac", tone(2.0, 44100), 44100)
    environment = plain_environment(
        STEMSVC_OFFLINE="1", STEMSVC_CACHE_DIR=str(tmp_path / "cache"), STEMSVC_POOLS="*:cpu", COLUMNS="200"
    )
    done = subprocess.run(
        stemsvc("demo", str(song)), cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )

    assert done.returncode == 0, done.stderr
    assert "separated by demo" in done.stdout
    assert "demo_model" in done.stdout
    assert "STEMSVC_OFFLINE" in done.stdout
