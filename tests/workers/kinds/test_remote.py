"""`stemsvc analyze`, `mix`, `master`, `transcribe` and `export` by a service: what is sent, and what is saved.

Its answers are scripted here; the commands of docs/cli.md run against a real one.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stemsvc.errors import BadArguments, StemsvcError
from tests.client.conftest import Asked, Reply, World, job
from tests.client.conftest import world as world
from workers.kinds.analyze.command import analyze
from workers.kinds.export.command import export
from workers.kinds.master.command import master
from workers.kinds.mix.command import mix
from workers.kinds.transcribe.command import transcribe

MADE = b"made" * 100
ONE, TWO = {"upload_id": "u0"}, {"upload_id": "u1"}
COMMANDS: dict[str, tuple[Any, list[str], str, dict[str, Any]]] = {
    "analyze": (
        analyze,
        ["a.wav", "--click", "mixed", "--use-stems", "never", "--sample-rate", "44100"],
        "analyses",
        {"source": ONE, "click": "mixed", "use_stems": "never", "sample_rate": 44100},
    ),
    "mix": (
        mix,
        ["a.wav", "b.wav", "--set", "2.eq.low=2", "--normalise", "--format", "wav", "--bit-depth", "float32"],
        "mixes",
        {
            "tracks": [{"source": ONE}, {"source": TWO, "eq": {"low": 2}}],
            "normalise": True,
            "format": "wav",
            "bit_depth": "float32",
        },
    ),
    "master": (
        master,
        ["a.wav", "--reference", "b.wav", "--loudness", "-12"],
        "masters",
        {"source": ONE, "reference": TWO, "loudness": -12, "preset": "streaming"},
    ),
    "transcribe": (
        transcribe,
        ["a.wav", "b.wav", "--stems", "bass,drums", "--quantise", "1/16"],
        "transcriptions",
        {"sources": [ONE, TWO], "stems": ["bass", "drums"], "quantise": "1/16"},
    ),
    "export": (
        export,
        ["a.wav", "b.wav", "--to", "zip", "--title", "T"],
        "exports",
        {"sources": [ONE, TWO], "targets": ["zip"], "title": "T"},
    ),
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / f"{name}.wav").write_bytes(b"RIFF" + name.encode() * 50)


@pytest.fixture
def service(world: World) -> World:
    """A service that takes uploads and has done each job at once."""
    numbers = iter(range(9))

    def upload(asked: Asked) -> Reply:
        name = f"u{next(numbers)}"
        world.on(f"PUT /{name}", Reply(200))
        return Reply(201, {"upload_id": name, "url": f"{world.url}/{name}", "headers": {}, "expires_at": None})

    file = {"url": f"{world.url}/made", "filename": "a - made.flac", "sha256": hashlib.sha256(MADE).hexdigest()}
    warnings = [{"code": "mix_clips", "detail": "too loud"}]
    world.on("POST /v1/uploads", upload)
    for _, _, path, _ in COMMANDS.values():
        world.on(f"POST /v1/{path}:from-source", Reply(201, job()))
    world.on("GET /v1/jobs/j1", Reply(200, job("succeeded", files={"made": file}, facts={"n": 1}, warnings=warnings)))
    world.on("GET /made", Reply(200, body=MADE))
    return world


def run(name: str, *more: str) -> Result:
    command, arguments, _, _ = COMMANDS[name]
    return CliRunner().invoke(command, [*arguments, *more], catch_exceptions=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_what_was_asked_is_sent_and_what_was_made_is_saved(service: World, name: str) -> None:
    done = run(name, "-o", "out", "--url", service.url, "--key", "k", "--json")

    _, _, path, wanted = COMMANDS[name]
    (asked,) = service.calls(f"POST /v1/{path}:from-source")
    body = json.loads(asked.body)
    assert asked.headers["authorization"] == "Bearer k"
    assert {field: body.get(field) for field in wanted} == wanted
    told = json.loads(done.stdout)
    assert (told["job"], told["facts"]) == ("j1", {"n": 1})
    assert Path(told["files"]["made"]["path"]).read_bytes() == MADE
    assert "warning: mix_clips: too loud" in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_refusal_of_the_service_is_the_command_s(service: World, name: str) -> None:
    service.on(f"POST /v1/{COMMANDS[name][2]}:from-source", Reply(422, {"code": "bad_options", "detail": "no kazoo"}))

    with pytest.raises(StemsvcError, match="no kazoo") as caught:
        run(name, "-o", "out", "--url", service.url)
    assert caught.value.code == "bad_options"


def test_stems_of_this_machine_are_not_left_out_without_a_word(service: World) -> None:
    with pytest.raises(BadArguments, match="--stems"):
        run("analyze", "--stems", "b.wav", "-o", "out", "--url", service.url)
    assert service.asked == []
