"""`stemsvc submit`: songs to any service, several at once, files saved, an exit code."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stemsvc.cli.main import main
from stemsvc.cli.submit import _names
from tests.client.conftest import Asked, Reply, World, job
from tests.client.conftest import world as world
from tests.processes import plain_environment, stemsvc, wait_for

CONTENT = b"stems" * 1000


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def service(world: World) -> World:
    """A service that names its files after the songs, and refuses letters."""
    numbers = iter(range(100))

    def accept(asked: Asked) -> Reply:
        sent = asked.body.split(b'filename="')
        name = sent[1].split(b'"')[0].decode() if len(sent) > 1 else "linked.mp3"
        if name.endswith(".txt"):
            return Reply(422, {"code": "unknown_stem", "detail": "no kazoo"})
        made = f"j{next(numbers)}"
        stem = Path(name).stem
        file = {
            "url": f"{world.url}/file",
            "filename": f"{stem} - vocals.flac",
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
        }
        warnings = [{"code": "demo_model", "detail": "nothing better\x1b[31m could be had"}] if stem == "one" else []
        ended = {**job("succeeded", files={"vocals": file}, warnings=warnings), "id": made}
        world.on(f"GET /v1/jobs/{made}", Reply(200, ended))
        return Reply(201, {**job(), "id": made})

    world.on("POST /v1/jobs", accept)
    world.on("GET /file", Reply(200, body=CONTENT))
    return world


def submit(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["submit", *arguments])


def test_songs_become_files_and_the_paths_are_printed(service: World, tmp_path: Path) -> None:
    for name in ("one.flac", "two.mp3", "letter.txt"):
        (tmp_path / name).write_bytes(b"fLaC" * 100)
    link = "https://example.org/x.mp3"
    arguments = ("one.flac", "two.mp3", "letter.txt", link, "-o", "out", "--url", service.url, "--key", "k")
    done = submit(*arguments, "--stems", "vocals", "--field", 'metadata={"a": 1}', "--field", "shifts=2", "--residual")

    assert done.exit_code == 1
    assert done.stdout.splitlines() == [f"out/{name} - vocals.flac" for name in ("one", "two", "linked")]
    assert all(Path(path).read_bytes() == CONTENT for path in done.stdout.splitlines())
    assert "stemsvc: letter.txt: unknown_stem: no kazoo" in done.stderr
    assert "one.flac: warning: demo_model: nothing better\ufffd[31m could be had" in done.stderr
    assert "two.mp3: uploading" in done.stderr
    form = next(each for each in service.calls("POST /v1/jobs") if b"two.mp3" in each.body)
    assert form.headers["authorization"] == "Bearer k"
    for name, value in {"stems": "vocals", "metadata": '{"a": 1}', "shifts": "2", "residual": "true"}.items():
        assert f'name="{name}"\r\n\r\n{value}\r\n'.encode() in form.body
    assert b'name="format"' not in form.body


def test_json_says_what_became_of_each_song(service: World, tmp_path: Path) -> None:
    for name in ("one.flac", "letter.txt"):
        (tmp_path / name).write_bytes(b"fLaC" * 100)
    done = submit("one.flac", "letter.txt", "-o", "out", "--url", service.url, "--json")

    one, letter = json.loads(done.stdout)
    assert (one["job"], one["paths"], one["error"]) == ("j0", {"vocals": "out/one - vocals.flac"}, None)
    assert one["warnings"][0]["code"] == "demo_model"
    assert (letter["paths"], letter["error"]["code"]) == ({}, "unknown_stem")


def test_songs_of_one_name_do_not_overwrite_each_other(service: World, tmp_path: Path) -> None:
    for name in ("a/song.mp3", "b/song.mp3", "b/Song.flac"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"fLaC" * 100)
    done = submit("a/song.mp3", "b/song.mp3", "b/Song.flac", "-o", "out", "--url", service.url)

    assert done.exit_code == 0
    assert len({path.name for path in (tmp_path / "out").iterdir()}) == 3
    assert _names(["a/x.mp3", "b/x.mp3", "a/x.mp3", "x (2).mp3"]) == {
        "a/x.mp3": "x.mp3",
        "b/x.mp3": "x (2).mp3",
        "x (2).mp3": "x (2) (2).mp3",
    }


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["missing.mp3", "-o", "out"], 2),
        (["-o", "out"], 2),
        (["song.mp3"], 2),
        (["song.mp3", "-o", "song.mp3"], 2),
        (["song.mp3", "-o", "song.mp3/out"], 1),
        (["song.mp3", "-o", "out", "--url", "nowhere"], 1),
        (["song.mp3", "-o", "out", "--field", "x"], 1),
    ],
)
def test_what_can_not_be_is_told_in_words(tmp_path: Path, arguments: list[str], exit_code: int) -> None:
    (tmp_path / "song.mp3").write_bytes(b"x")
    done = submit(*arguments)
    assert (done.exit_code, "Traceback" in done.stderr) == (exit_code, False), done.output
    assert isinstance(done.exception, SystemExit)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without asking them")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_what_is_under_way(world: World, tmp_path: Path, number: signal.Signals) -> None:
    came, held = threading.Event(), threading.Event()

    def hold(asked: Asked) -> Reply:
        came.set()
        held.wait(30)
        return Reply(200, job("running"))

    world.on("POST /v1/jobs", Reply(201, job()))
    world.on("GET /v1/jobs/j1", hold)
    world.on("POST /v1/jobs/j1/cancel", Reply(200, job("canceled")))
    (tmp_path / "song.mp3").write_bytes(b"x" * 100)
    environment = plain_environment(STEMSVC_DATA_DIR=str(tmp_path / "data"))
    command = stemsvc("submit", "song.mp3", "-o", "out", "--url", world.url)
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test in the background ignores it
    )
    wait_for("the job to be asked for", came.is_set)
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=60)
    held.set()

    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert len(world.calls("POST /v1/jobs/j1/cancel")) == 1


def test_the_key_of_the_settings_goes_to_their_service_alone(
    service: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEMSVC_CLIENT_KEY", "secret")
    (tmp_path / "one.flac").write_bytes(b"fLaC" * 100)

    def headers(*arguments: str) -> dict[str, Any]:
        assert submit("one.flac", "-o", "out", *arguments).exit_code == 0
        return service.calls("POST /v1/jobs")[-1].headers

    assert "authorization" not in headers("--url", service.url)
    monkeypatch.setenv("STEMSVC_CLIENT_URL", service.url)
    assert headers()["authorization"] == "Bearer secret"
    assert headers("--key", "other")["authorization"] == "Bearer other"
