"""The command line as users run it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from tinytag import TinyTag

from stemsvc.demo import SONG
from stemsvc.demo.measure import read_sound
from stemsvc.embedded.ports import free_port
from stemsvc.embedded.state import running
from stemsvc.errors import FatalError
from stemsvc.jobstore.engine import revisions
from stemsvc.settings import Settings
from tests.processes import plain_environment, stemsvc, wait_for
from tests.programs import need
from tests.soundfonts import write_soundfont
from tests.sounds import tone, write_sound
from workers.output_folder import open_output_folder


def run(folder: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    environment = plain_environment(**{"STEMSVC_DATA_DIR": str(folder / "data"), "COLUMNS": "200", **changes})
    return subprocess.run(stemsvc(*arguments), cwd=folder, env=environment, capture_output=True, text=True, timeout=180)


def test_help_names_the_commands_of_every_installed_part(tmp_path: Path) -> None:
    text = run(tmp_path, "--help").stdout

    for command in (
        "up",
        "api",
        "worker",
        "down",
        "demo",
        "separate",
        "jobs",
        "models",
        "doctor",
        "dispatcher",
        "migrate",
        "pools",
        "flower",
        "fetcher",
    ):
        assert f"  {command} " in text


def test_up_without_the_weights_it_was_told_to_have_starts_nothing(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "up",
        "--download-models",
        STEMSVC_OFFLINE="1",
        STEMSVC_POOLS="htdemucs:cpu",
        STEMSVC_CACHE_DIR=str(tmp_path / "cache"),
    )

    assert done.returncode == 1
    assert "weights_missing: htdemucs" in done.stderr
    assert not (tmp_path / "data" / "run").exists()


def test_models_are_listed_with_their_licences(tmp_path: Path) -> None:
    text = run(tmp_path, "models").stdout

    assert "htdemucs_ft" in text
    assert "licence in doubt" in text


@pytest.mark.long
def test_doctor_on_a_fresh_machine_is_content_and_says_how_to_start(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor")

    assert done.returncode == 0, done.stdout
    assert "stemsvc up" in done.stdout


@pytest.mark.long
def test_doctor_with_a_broken_part_fails(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor", STEMSVC_BROKER_URL=f"redis://127.0.0.1:{free_port()}/0")

    assert done.returncode == 1
    assert "broken  broker: broker_unavailable" in done.stdout
    assert "STEMSVC_BROKER_URL" in done.stdout
    assert "checking broker ..." in done.stderr
    found = {each["part"]: each for each in json.loads(run(tmp_path, "doctor", "--quick", "--json").stdout)}
    assert all(each["ok"] for each in found.values())
    assert {"storage", "job store", "service", "redis-server"} <= found.keys()


def test_doctor_looks_at_the_soundfont(tmp_path: Path) -> None:
    need("fluidsynth")
    font = write_soundfont(tmp_path / "font.sf2", {0})
    for setting, ok, said in (
        ("", None, ""),
        (str(font), True, "sketch"),
        (str(tmp_path / "none.sf2"), False, "STEMSVC_SOUNDFONT"),
    ):
        done = run(tmp_path, "doctor", "--quick", "--json", STEMSVC_SOUNDFONT=setting)
        found = {each["part"]: each for each in json.loads(done.stdout)}.get("soundfont")
        assert (found and found["ok"]) is ok
        assert said in str(found)


@pytest.mark.long
def test_tables_are_brought_on_and_back_and_what_is_newer_is_left_alone(tmp_path: Path) -> None:
    _, newest = revisions("sqlite://")
    assert f"revision {newest}" in run(tmp_path, "migrate").stdout
    back = run(tmp_path, "migrate", "--to", "0004")
    assert (back.returncode, back.stdout) == (0, "the tables are at revision 0004\n")
    found = run(tmp_path, "doctor", STEMSVC_BROKER_URL=f"redis://127.0.0.1:{free_port()}/0", COLUMNS="300")
    assert "tables_old" in found.stdout
    assert "Run `stemsvc migrate`" in found.stdout
    assert "no_revision" in run(tmp_path, "migrate", "--to", "9").stderr
    assert f"revision {newest}" in run(tmp_path, "migrate").stdout
    tables = sqlite3.connect(tmp_path / "data" / "jobs.sqlite")
    with closing(tables), tables:  # as a newer stemsvc would
        tables.execute("UPDATE alembic_version SET version_num = '0099'")
    assert "revision 0099" in run(tmp_path, "migrate").stdout


def test_separate_writes_the_stems_beside_no_server(tmp_path: Path) -> None:
    song = write_sound(tmp_path / "song.flac", tone(4.0, 32000), 32000)
    done = run(tmp_path, "separate", str(song), "-o", "out", "--stems", "vocals", "--format", "wav", "--residual")

    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["song - residual.wav", "song - vocals.wav"]
    sound, rate = read_sound(tmp_path / "out" / "song - vocals.wav")
    assert (rate, sound.shape) == (32000, (4 * 32000, 2))


@pytest.mark.long
def test_separate_takes_a_part_and_says_what_is_wrong_with_the_file(tmp_path: Path) -> None:
    whole = write_sound(tmp_path / "whole.wav", tone(4.0, 44100)[:, :1], 44100, "mono", kind="song.wav")
    song = tmp_path / "song.wav"
    song.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])
    part = ("--start", "0.5", "--end", "2", "--channels", "source")
    done = run(tmp_path, "separate", str(song), "-o", "out", "--stems", "vocals", "--format", "wav", *part)
    rest = run(tmp_path, "separate", str(song), "-o", "rest", "--stems", "vocals", "--format", "wav", "--start", "1")

    assert (done.returncode, rest.returncode) == (0, 0), done.stderr + rest.stderr
    assert read_sound(tmp_path / "out" / "song - vocals.wav")[0].shape == (round(1.5 * 44100), 1)
    assert "warning: audio_truncated: " in rest.stderr


def test_what_separate_prints_for_programs_is_json_alone(tmp_path: Path) -> None:
    # given a model that can't be had: the log has a warning of it
    song = write_sound(tmp_path / "song.wav", tone(1.0, 44100), 44100, kind="song.wav")
    done = run(tmp_path, "separate", str(song), "-o", "out", "--stems", "vocals", "--json", STEMSVC_OFFLINE="true")

    assert done.returncode == 0, done.stderr
    (made,) = json.loads(done.stdout)
    assert made["stem"] == "vocals"
    assert "warning: demo_model: " in done.stderr
    assert "model loaded" not in done.stderr


@pytest.mark.parametrize(
    ("name", "written"),
    [
        pytest.param("字" * 82 + ".wav", "字" * 80 + " - vocals", marks=pytest.mark.long),
        ("Mr. Brightside feat. X", "Mr. Brightside feat. X - vocals"),
    ],
)
def test_separate_names_its_files_after_any_song(tmp_path: Path, name: str, written: str) -> None:
    song = write_sound(tmp_path / name, tone(1.0, 44100), 44100, kind="song.wav")
    formats = ("--format", "flac", "--format", "mp3")
    done = run(
        tmp_path, "separate", str(song), "-o", "out", "--stems", "vocals", *formats, "--title-template", "{stem}"
    )

    assert done.returncode == 0, done.stderr
    found = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in found] == [f"{written}.flac", f"{written}.mp3"]
    assert {TinyTag.get(path).title for path in found} == {"vocals"}


def test_separate_looks_at_its_output_before_the_work(tmp_path: Path) -> None:
    # given what can't be decoded: whoever says so has begun the work
    letter, files = tmp_path / "letter.mp3", {"flac": ("vocals", ".flac")}
    letter.write_text("no music" * 500)
    (tmp_path / "file").touch()
    (tmp_path / "out" / "letter - vocals.flac").mkdir(parents=True)
    for folder in (tmp_path / "file" / "below", tmp_path / "out", tmp_path / Path(*["x" * 250] * 17)):
        with pytest.raises(FatalError) as caught:
            open_output_folder(folder, letter.name, files)
        assert caught.value.code == "bad_output"
    done = run(tmp_path, "separate", str(letter), "-o", "out", "--stems", "vocals")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("stemsvc: bad_output: ")

    place = open_output_folder(tmp_path / "good", "a" * 255, files)
    assert 254 <= len(place.write("flac", letter).name) <= 255
    shutil.rmtree(tmp_path / "good")
    with pytest.raises(FatalError) as caught:
        place.write("flac", letter)
    assert caught.value.code == "bad_output"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--model", "nothing"], "unknown_model"),
        (["--stems", "kazoo"], "unknown_stem"),
        (["--quality", "great"], "unknown_preset"),
        (["--quality", "dereverb"], "model_unserved"),
        (["--format", "mp3", "--bit-depth", "24"], "impossible_format"),
        (["--device", "cuda"], "no_device"),
        ([], "not_audio"),
    ],
)
def test_separate_says_in_one_line_what_is_wrong(tmp_path: Path, arguments: list[str], code: str) -> None:
    letter = tmp_path / "letter.mp3"
    letter.write_text("no music" * 500)
    done = run(tmp_path, "separate", str(letter), "-o", "out", *arguments)

    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith(f"stemsvc: {code}: ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


@pytest.mark.long
def test_up_starts_everything_restarts_what_dies_and_leaves_nothing_running(tmp_path: Path) -> None:
    data = tmp_path / "data"
    environment = plain_environment(STEMSVC_DATA_DIR=str(data))
    process = subprocess.Popen(stemsvc("up", "--port", "0"), env=environment, stdout=subprocess.PIPE, text=True)
    try:
        stack = wait_for("the stack", lambda: running(Settings(data_dir=data)), 90)
        assert httpx.get(f"{stack.url}/healthz/ready").json()["status"] == "ok"

        # a second one over the same data refuses to start
        second = run(tmp_path, "up", "--port", "0")
        assert (second.returncode, "already_running" in second.stderr) == (1, True)
        assert run(tmp_path, "doctor").returncode == 0
        assert "no jobs" in run(tmp_path, "jobs").stdout
        assert json.loads(run(tmp_path, "pools", "--json").stdout)["workers"]

        children = _children(process.pid)
        (api,) = _gunicorn(process.pid)
        wait_for("the api to be old enough for a restart", lambda: _age(api) > 4, 10)
        os.kill(api, signal.SIGKILL)
        wait_for("a new api process", lambda: _gunicorn(process.pid) - {api})
        wait_for("the new api to answer", lambda: _answers(stack.url))
        children |= _children(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "stemsvc is up at" in output
    assert "starting it again" in output
    wait_for("every child to be gone", lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))


@pytest.mark.long
def test_up_in_the_background_returns_and_down_stops_it(tmp_path: Path) -> None:
    port = str(free_port())
    started = run(tmp_path, "up", "--detach", "--port", port)
    try:
        assert f"stemsvc is up at http://127.0.0.1:{port}" in started.stdout, started.stderr
        assert _answers(f"http://127.0.0.1:{port}")
        assert "already_running" in run(tmp_path, "up", "--detach").stderr
        status = json.loads(run(tmp_path, "status", "--json").stdout)
        assert (status["url"], status["health"]["status"]) == (f"http://127.0.0.1:{port}", "ok")
        assert "api        | " in run(tmp_path, "logs").stdout
        assert list((tmp_path / "data" / "metrics").iterdir())
    finally:
        stopped = run(tmp_path, "down")
    assert run(tmp_path, "status").returncode == 1
    assert [path.name for path in (tmp_path / "data").glob("jobs.sqlite*")] == ["jobs.sqlite"]
    assert list((tmp_path / "data" / "metrics").iterdir()) == []
    assert f"stopped http://127.0.0.1:{port}" in stopped.stdout
    assert not _answers(f"http://127.0.0.1:{port}")
    assert "no_stack" in run(tmp_path, "down").stderr


@pytest.mark.long
def test_demo_shows_the_stems_of_the_bundled_song(tmp_path: Path) -> None:
    done = run(tmp_path, "demo")

    assert done.returncode == 0, done.stderr
    for words in ("drums", "vocals", "LUFS", "SI-SDR", "stopped again"):
        assert words in done.stdout
    assert str(tmp_path / "demo-output" / "vocals.flac") in done.stdout
    assert "/v1/files/" not in done.stdout  # a URL that is dead when the demo ends
    made = {path.name for path in (tmp_path / "demo-output").iterdir()}
    assert made == {"drums.flac", "bass.flac", "other.flac", "vocals.flac", "residual.flac", "waveforms.png"}
    assert (tmp_path / "demo-output" / "waveforms.png").read_bytes().startswith(b"\x89PNG")
    assert len(read_sound(tmp_path / "demo-output" / "vocals.flac")[0]) == len(read_sound(SONG)[0])


@pytest.mark.long
def test_demo_with_a_file_that_is_no_song_says_so_and_stops_what_it_started(tmp_path: Path) -> None:
    (tmp_path / "letter.mp3").write_text("no music" * 500)
    done = run(tmp_path, "demo", "letter.mp3", STEMSVC_OFFLINE="1")

    assert (done.returncode, done.stderr.splitlines()[-1].split(":")[1].strip()) == (1, "not_audio")


def _children(parent: int) -> dict[int, str]:
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                command = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
            if int(status[1]) == parent:
                found[int(entry.name)] = command
    return found


def _gunicorn(parent: int) -> set[int]:
    return {pid for pid, command in _children(parent).items() if "gunicorn" in command}


def _age(pid: int) -> float:
    started = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
    return float(Path("/proc/uptime").read_text().split()[0]) - started


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz/live", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_dispatcher_ends_however_often_it_is_told_to(tmp_path: Path) -> None:
    environment = plain_environment(
        STEMSVC_DATA_DIR=str(tmp_path),
        STEMSVC_DISPATCH_INTERVAL_SECONDS="0.001",
        STEMSVC_METRICS_PORT=str(free_port()),  # its server is a thread that no signal may end the process in
    )
    for _ in range(3):
        process = subprocess.Popen(stemsvc("dispatcher"), env=environment, stderr=subprocess.DEVNULL)
        wait_for("its threads", lambda: len(list(Path(f"/proc/{process.pid}/task").iterdir())) > 3)  # noqa: B023
        while process.poll() is None:  # a storm of signals, at any moment of its work
            process.terminate()
        assert process.returncode == 0
