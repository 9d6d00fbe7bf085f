"""What of the command line runs on Windows, as far as Linux can show it: without POSIX's modules, by Windows' types."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path, PureWindowsPath

import platformdirs
import pytest
from platformdirs.macos import MacOS
from platformdirs.windows import Windows

from stemsvc.cli.run_files import numbered
from stemsvc.cli.submit import _names
from stemsvc.jobs.filenames import same_file
from stemsvc.settings import Settings
from tests.client.conftest import World
from tests.client.conftest import world as world
from tests.processes import plain_environment
from tests.stemsvc.cli.test_submit import CONTENT
from tests.stemsvc.cli.test_submit import service as service

ROOT = Path(__file__).parents[3]


def on_windows(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = plain_environment(STEMSVC_DATA_DIR=str(tmp_path / "Local App Data" / "stemsvc"), PYTHONUTF8="1")
    command = [sys.executable, "-m", "tests.windows", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)


def test_songs_are_sent_and_stems_saved(service: World, tmp_path: Path) -> None:
    song = tmp_path / "Über uns.mp3"
    song.write_bytes(b"music")

    done = on_windows(tmp_path, "submit", str(song), "--url", service.url, "-o", str(tmp_path / "out"))

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "Über uns - vocals.flac").read_bytes() == CONTENT


def test_what_needs_another_system_says_so(tmp_path: Path) -> None:
    refused = on_windows(tmp_path, "api")
    assert refused.returncode == 1
    assert refused.stderr.startswith("stemsvc: platform_unsupported: ")
    assert "Traceback" not in refused.stderr


@pytest.mark.long
def test_the_modules_that_a_client_loads_fit_windows(tmp_path: Path) -> None:
    loaded = {"stemsvc_client.places", "stemsvc.host.locks", "stemsvc.host.secret_files"}
    for command in ("submit", "run", "chat", "plan", "recipes", "workers", "config"):
        done = on_windows(tmp_path, command, "--help")
        assert done.returncode == 0, done.stderr
        loaded |= set(done.stderr.splitlines()[-1].removeprefix("loaded: ").split())
    named = [argument for name in sorted(loaded) for argument in ("-m", name)]
    cache = str(tmp_path / "mypy")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--platform",
            "win32",
            "--follow-imports",
            "silent",
            "--cache-dir",
            cache,
            *named,
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout


def test_data_and_caches_lie_where_each_system_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/Users/me")
    monkeypatch.setattr(platformdirs, "PlatformDirs", MacOS)
    assert Settings().data_dir == Path("/Users/me/Library/Application Support/stemsvc")
    assert Settings().weights_dir == Path("/Users/me/Library/Caches/stemsvc/weights")

    monkeypatch.setenv("LOCALAPPDATA", r"C:\Users\me\AppData\Local")
    monkeypatch.setattr("platformdirs.windows.get_win_folder", lambda _: r"C:\Users\me\AppData\Local")
    monkeypatch.setattr(platformdirs, "PlatformDirs", Windows)
    data, cache = (PureWindowsPath(str(path)) for path in (Settings().data_dir, Settings().resolved_cache_dir))
    assert PureWindowsPath(r"C:\Users\me\AppData\Local") in data.parents
    assert data != cache  # who empties the cache keeps the jobs
    assert cache not in data.parents


@pytest.mark.parametrize("other", ["Song", "SONG", "sONG"])
def test_names_that_differ_in_case_alone_are_two_files_everywhere(other: str) -> None:
    names = list(_names([f"/a/{other}.mp3", "/b/song.mp3"]).values())
    assert names == [f"{other}.mp3", "song (2).mp3"]
    assert numbered([f"{other}.mp3", "song.mp3"]) == [f"{other}.mp3", "2 song.mp3"]


def test_names_that_differ_in_the_form_of_an_accent_alone_are_two_files_too() -> None:
    assert list(_names(["/a/e\u0301.mp3", "/b/\u00e9.mp3"]).values())[1] == "\u00e9 (2).mp3"
    assert same_file("STRASSE") == same_file("straße")
    assert same_file("a") != same_file("b")
