"""`stemsvc plan`, `stemsvc workers`, and what `stemsvc mcp` refuses."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stemsvc.cli.main import main
from stemsvc.control.services import Services
from stemsvc.jobstore.workers import Worker
from tests.api.conftest import app_settings, client, parts, url

__all__ = ["app_settings", "client", "parts", "url"]
SONG = Path(__file__).parents[3] / "stemsvc" / "demo" / "song" / "mixture.flac"


@pytest.fixture(autouse=True)
def _here(parts: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(parts.settings.data_dir))
    monkeypatch.setenv("COLUMNS", "300")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_a_plan_tells_steps_times_and_storage(url: str, parts: Services) -> None:
    found = json.loads(run("plan", "karaoke", str(SONG), "--url", url, "-p", "format=mp3", "--json").stdout)
    assert found["total_seconds"] > 0
    assert found["steps"][0]["pool"]

    told = run("plan", "karaoke", str(SONG), "--url", url)
    assert f"{found['steps'][0]['pool']} (no worker)" in told.stdout
    assert "s until it begins" in told.stdout
    assert parts.store.recent() == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nothing", str(SONG)), "unknown_recipe"),
        (("karaoke", str(SONG), "-p", "format=ape"), "bad_recipe_params"),
        (("karaoke", str(SONG), "-p", "format"), "bad_arguments"),
        (("karaoke", str(SONG), "http://a.example/b.mp3"), "bad_arguments"),
    ],
)
def test_what_can_not_be_planned_is_told_by_its_code(url: str, arguments: tuple[str, ...], code: str) -> None:
    done = run("plan", *arguments, "--url", url)
    assert done.exit_code == 1
    assert f"stemsvc: {code}: " in done.stderr


def test_workers_are_listed_with_what_they_can_do_and_lack(parts: Services) -> None:
    assert "no worker is alive" in run("workers").stdout
    facts = {"load": 0.25, "lacking": {"transcribe": ["onnxruntime"]}}
    parts.store.workers.beat(
        Worker("one", ("p",), "cpu", "a chip", 2, 700, ("demo",), (), "1", ("separate",), facts), 60
    )

    told = run("workers").stdout
    for words in ("one", "cpu a chip", "separate", "demo", "0/2", "0.25", "700", "idle", "transcribe"):
        assert words in told
    (found,) = json.loads(run("workers", "--json").stdout)["workers"]
    assert (found["id"], found["lacking"]) == ("one", {"transcribe": ["onnxruntime"]})


def test_what_a_server_for_assistants_needs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "missing_packages: this needs the extra `mcp`" in run("mcp").stderr

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert "bad_arguments: --http takes" in run("mcp", "--http", "nowhere").stderr
    assert "bad_arguments: --folder is for stdio" in run("mcp", "--http", "1", "--folder", str(tmp_path)).stderr
