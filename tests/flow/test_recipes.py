"""Each bundled recipe on a song: in one process, and by a service; what comes of it is the same, byte by byte."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import soundfile

from stemsvc.workflows.recipes import load_recipes
from tests import rabbitmq
from tests.conftest import fresh_database
from tests.flow.conftest import production_on
from tests.processes import plain_environment, stemsvc, wait_for
from tests.test_docs import BUNDLED, up

SONG = Path(__file__).parents[2] / "stemsvc" / "demo" / "song" / "mixture.flac"
OFFLINE = {**BUNDLED, "STEMSVC_OFFLINE": "true"}
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of the bundled song."""
    samples, rate = soundfile.read(SONG, stop=6 * 44100)
    path = tmp_path_factory.mktemp("song") / "song.flac"
    soundfile.write(path, samples, rate)
    return path


def run(folder: Path, *arguments: str) -> dict[str, str]:
    """The files of a run, by output, as paths."""
    (found,) = told_of(stemsvc("run", *arguments, "-o", str(folder), "--json"), folder)
    return found


def told_of(command: list[str], folder: Path) -> list[dict[str, str]]:
    """The files of each run of a command."""
    environment = plain_environment(**OFFLINE, STEMSVC_DATA_DIR=str(folder / "data"))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found, rest = [], done.stdout.lstrip()
    while rest:
        told, end = json.JSONDecoder().raw_decode(rest)
        assert told["state"] == "succeeded"
        found.append(told["files"])
        rest = rest[end:].lstrip()
    return found


def digests(files: dict[str, str]) -> dict[str, str]:
    return {name: hashlib.sha256(Path(path).read_bytes()).hexdigest() for name, path in files.items()}


EACH = """
import sys
from stemsvc.cli.main import main
song, folder, *names = sys.argv[1:]
for name in names:
    main(["run", name, song, "-o", f"{folder}/{name}", "--json"], standalone_mode=False)
"""
MADE = {
    "acapella-clean": ["acapella.master"],
    "archive": ["pack.archive", "split.bass", "split.drums", "split.other", "split.vocals"],
    "dj": ["stems.stem.mp4"],
    "karaoke": ["karaoke.master", "song.analysis"],
    "practice": [
        "beats.analysis", "beats.click", *(f"minus[{stem}].mix" for stem in ("bass", "drums", "other", "vocals")),
    ],
    "remaster": ["master.master"],
    "sample-pack": ["pack.samples"],
    "stems-to-midi": [f"notes.{name}" for name in ("all", "bass", "drums", "notes", "other", "piano_roll", "vocals")],
}  # fmt: skip


@pytest.fixture(scope="module")
def here(song: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Every recipe in one process, without a service."""
    assert sorted(MADE) == [recipe.name for recipe in load_recipes().all]
    folder = tmp_path_factory.mktemp("here")
    command = [sys.executable, "-c", EACH, str(song), str(folder), *MADE]  # torch is imported once
    return dict(zip(MADE, told_of(command, folder), strict=True))


@pytest.mark.parametrize("name", MADE)
def test_each_recipe_makes_what_it_says(here: dict[str, dict[str, str]], name: str) -> None:
    assert sorted(here[name]) == MADE[name]
    paths = {each: Path(path) for each, path in here[name].items()}
    assert all(path.stat().st_size > 50 for path in paths.values())
    for path in paths.values():
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None
                assert len(archive.namelist()) > 4


@pytest.fixture(scope="module", params=["embedded", "production"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `stemsvc up`: with what it brings along, and with PostgreSQL, RabbitMQ and S3."""
    folder = tmp_path_factory.mktemp("service")
    if request.param == "embedded":
        with up(folder / "data", **OFFLINE) as url:
            yield url
        return
    rabbitmq.need()
    server = rabbitmq.RabbitServer(folder / "rabbit")
    server.port_mapper.start()
    server.child.start()
    try:
        wait_for("RabbitMQ", server.answers)
        backing = production_on(
            fresh_database(request.getfixturevalue("postgres_server")), request.getfixturevalue("rclone_endpoint")
        )
        with up(folder / "data", **OFFLINE, **backing, STEMSVC_BROKER_URL=server.url) as url:
            yield url
    finally:
        server.child.stop(20)
        server.port_mapper.stop(5)


@pytest.mark.parametrize("name", ["practice", "remaster"])
def test_a_service_makes_the_same_bytes(
    here: dict[str, dict[str, str]], service: str, song: Path, tmp_path: Path, name: str
) -> None:
    there = run(tmp_path, name, str(song), "--url", service)
    assert {Path(path).name for path in there.values()} == {Path(path).name for path in here[name].values()}
    assert digests(there) == digests(here[name])


def test_what_was_canceled_goes_on(here: dict[str, dict[str, str]], service: str, song: Path, tmp_path: Path) -> None:
    form = {"recipe": "remaster", "metadata": json.dumps({"songs": [song.name]})}
    with song.open("rb") as file:
        made = httpx.post(f"{service}/v1/workflows", data=form, files={"file": (song.name, file)}, timeout=60)
    assert made.status_code == 201, made.text
    own = f"{service}/v1/workflows/{made.json()['id']}"
    assert httpx.post(f"{own}/cancel", timeout=60).json()["state"] == "canceled"

    files = run(tmp_path, "--resume", made.json()["id"], "--url", service)

    assert digests(files) == digests(here["remaster"])
    assert [Path(path).name for path in files.values()] == ["song - master.flac"]
