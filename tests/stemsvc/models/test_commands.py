"""`stemsvc models` as it is typed, and workers that see to their weights first."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from stemsvc.cli.main import main
from stemsvc.models.catalog import DEMO_WEIGHTS
from tests.hub import COMMIT, Hub
from tests.processes import plain_environment, stemsvc, wait_for
from tests.stemsvc.models.cases import DATA, SHA256

MINE = {
    "summary": "s",
    "family": "htdemucs",
    "stems": ["drums", "bass", "other", "vocals"],
    "sample_rate": 44100,
    "segment_seconds": 3,
    "licence": "mine",
    "memory_mb": 800,
}


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalog of one's own with the hub's file, not pinned."""
    path = tmp_path / "mine.yaml"
    write(path, {"hub": "someone/songs", "file": "net.safetensors"})
    monkeypatch.setenv("STEMSVC_CATALOG", str(path))
    monkeypatch.setenv("STEMSVC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("stemsvc.models.pull.PAUSES", (0.01, 0.01, 0.01))
    return path


def write(path: Path, *files: Mapping[str, object], **fields: object) -> None:
    path.write_text(
        yaml.safe_dump({"models": {"someone/mine": {**MINE, **fields, "files": [dict(each) for each in files]}}})
    )


def models(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["models", *arguments])


def test_from_lock_to_pull_to_prune(served: Hub, catalog: Path, tmp_path: Path) -> None:
    # given a model that nothing vouches for
    refused = models("pull", "someone/mine")
    assert (refused.exit_code, "weights_unpinned" in refused.stderr) == (1, True)

    # when its files are locked, pulled and verified
    locked = models("lock", "someone/mine")
    assert locked.exit_code == 0, locked.output
    known = yaml.safe_load(catalog.with_name("mine.lock.yaml").read_text())
    assert known == {
        "files": {"someone/songs/net.safetensors@main": {"sha256": SHA256, "size": len(DATA), "commit": COMMIT}}
    }
    pulled = models("pull", "someone/mine")
    assert pulled.exit_code == 0, pulled.output
    assert "0.4 of 0.4 MB" in pulled.stderr
    assert "MB/s" in pulled.stderr
    assert models("verify", "someone/mine").exit_code == 0

    # then it is listed as here and lies where `path` says
    (line,) = (line for line in models().stdout.splitlines() if "someone/mine" in line)
    assert "here" in line
    path = Path(models("path", "someone/mine").stdout.strip())
    assert path.read_bytes() == DATA
    assert path.is_relative_to(models("path").stdout.strip())

    # and once the catalog forgets it, prune does too, and nothing else
    write(catalog, {"path": str(DEMO_WEIGHTS)})
    pruned = models("prune")
    assert f"deleted {path}" in pruned.stdout
    assert not path.exists()


@pytest.mark.long
def test_a_pull_converts_for_this_machine_s_cpu_unless_it_shall_not(catalog: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert models("pull", "demo", "--no-convert").exit_code == 0
    assert not list(cache.glob("openvino-*"))

    pulled = models("pull", "demo")
    assert pulled.exit_code == 0, pulled.output
    assert "demo: converting its networks for this machine's CPU, 0%" in pulled.stderr
    assert "demo: converted for this machine's CPU" in pulled.stderr
    (kept,) = cache.glob("openvino-*")

    # and what lies there is not converted again
    again = models("pull", "demo")
    assert "converting" not in again.stderr
    assert [*cache.glob("openvino-*")] == [kept]


def test_weights_that_are_no_network_are_pulled_and_the_conversion_says_so(served: Hub, catalog: Path) -> None:
    models("lock", "someone/mine")
    pulled = models("pull", "someone/mine")

    assert pulled.exit_code == 0
    assert "someone/mine: not converted: weights_" in pulled.stderr


def test_what_a_quality_is_on_this_machine(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a machine without a network, and a preset of one's own
    monkeypatch.setenv("STEMSVC_OFFLINE", "true")
    catalog.write_text("presets: {tryout: {summary: s, options: [{model: htdemucs}, {model: demo, stems: [vocals]}]}}")

    # then only what is here is taken, and the reason is said
    told = {each["name"]: each for each in json.loads(models("presets", "--json").stdout)}
    offline = "its weights are not here, and STEMSVC_OFFLINE is set"
    assert told["tryout"] == {
        "name": "tryout",
        "summary": "s",
        "model": "demo",
        "stems": ["vocals"],
        "why": f"quality tryout: demo; not htdemucs: {offline}",
    }
    assert (told["best"]["model"], f"not htdemucs_ft: {offline}" in told["best"]["why"]) == (None, True)
    # and the list has it beside families and published figures
    listed = models("list").stdout
    assert "quality tryout: demo; s" in listed
    assert "quality best: no model for it here; " in listed
    (line,) = (line for line in listed.splitlines() if line.startswith("htdemucs_ft "))
    assert line.split()[-6:-4] == ["9", "dB"]
    assert "SDR of htdemucs_ft: on test songs of MUSDB18-HQ, from https://github.com/adefossez/demucs" in listed
    facts = {each["name"]: each for each in json.loads(models("list", "--json").stdout)}
    assert (facts["demo"]["family"], facts["demo"]["sdr"], facts["htdemucs_ft"]["sdr"]["db"]) == ("htdemucs", None, 9.0)


@pytest.mark.long
def test_verify_names_what_is_damaged_or_missing(served: Hub, catalog: Path, tmp_path: Path) -> None:
    models("lock", "someone/mine")
    missing = models("verify", "someone/mine")
    assert (missing.exit_code, missing.stdout.split()[0]) == (1, "missing")
    assert models("verify").exit_code == 0  # what was never asked for is no fault

    models("pull", "someone/mine")
    path = Path(models("path", "someone/mine").stdout.strip())
    path.write_bytes(DATA[:-1] + b"x")

    damaged = models("verify")
    assert damaged.exit_code == 1
    assert "corrupt  someone/mine" in damaged.stdout
    assert models("pull", "someone/mine").exit_code == 0
    assert path.read_bytes() == DATA


def test_a_lock_that_sees_other_weights_than_the_catalog_says_so(served: Hub, catalog: Path) -> None:
    write(catalog, {"hub": "someone/songs", "file": "net.safetensors", "sha256": "0" * 64})
    done = models("lock", "someone/mine")

    assert done.exit_code == 1
    assert "CHANGED" in done.stdout
    assert "weights_changed" in done.stderr


def test_a_lock_of_an_address_fetches_to_see(served: Hub, catalog: Path, tmp_path: Path) -> None:
    write(catalog, {"url": f"{served.endpoint}/plain/net.safetensors"}, {"path": str(DEMO_WEIGHTS)})
    done = models("lock", "someone/mine", "-o", str(tmp_path / "out.yaml"))

    assert done.exit_code == 0, done.output
    files = yaml.safe_load((tmp_path / "out.yaml").read_text())["files"]
    assert files[f"{served.endpoint}/plain/net.safetensors"] == {"sha256": SHA256, "size": len(DATA)}
    assert files[str(DEMO_WEIGHTS)]["size"] == DEMO_WEIGHTS.stat().st_size


def test_a_machine_without_a_network_is_told_what_to_do(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    template = "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)

    done = models("pull", "demo", "htdemucs")

    assert done.exit_code == 1
    assert "demo: 1 file here and whole" in done.stdout
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("stemsvc: "))
    assert line.startswith("stemsvc: weights_unavailable: htdemucs: adefossez/HTDemucs/955717e8.safetensors@bf35a81b")
    assert "Connect this machine to the network, or copy a folder of weights to it" in line


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("pull",), "bad_arguments"),
        (("pull", "demo", "--all"), "bad_arguments"),
        (("pull", "demu"), "unknown_model"),
        (("path", "demu"), "unknown_model"),
        (("verify", "demu"), "unknown_model"),
        (("lock", "demu"), "unknown_model"),
    ],
)
def test_wrong_words_are_a_code(catalog: Path, arguments: tuple[str, ...], code: str) -> None:
    done = models(*arguments)

    assert done.exit_code == 1
    assert f"stemsvc: {code}: " in done.stderr


def test_the_hub_is_asked_what_can_be_had(served: Hub, catalog: Path) -> None:
    write(
        catalog,
        {"hub": "someone/songs", "file": "net.safetensors", "revision": "f" * 40, "sha256": SHA256},
        fallback="demo",
        deprecated="there is a better one",
    )
    text = " ".join(models("list", "--online").stdout.split())

    assert "revision_gone" in text
    assert "someone/mine is deprecated: there is a better one; take demo" in text


def test_a_deprecated_model_warns_and_works(served: Hub, catalog: Path) -> None:
    source = {"hub": "someone/songs", "file": "net.safetensors", "sha256": SHA256}
    write(catalog, source, fallback="demo", deprecated="there is a better one")
    done = models("pull", "someone/mine")

    assert done.exit_code == 0
    assert "there is a better one" in done.stderr


@pytest.mark.long
def test_a_worker_takes_no_job_before_its_weights_are_here(redis_url: str, served: Hub, tmp_path: Path) -> None:
    # given a hub that stops in the middle of the weights
    served.files["someone/songs/net.safetensors"] = DEMO_WEIGHTS.read_bytes()
    catalog, ready = tmp_path / "mine.yaml", tmp_path / "run" / "ready"
    from stemsvc.host.digest import sha256_of

    write(catalog, {"hub": "someone/songs", "file": "net.safetensors", "sha256": sha256_of(DEMO_WEIGHTS)})
    served.moods.append("stall:1000000")
    environment = plain_environment(
        HF_ENDPOINT=served.endpoint,
        HF_HUB_DOWNLOAD_TIMEOUT="60",
        STEMSVC_CATALOG=str(catalog),
        STEMSVC_DATA_DIR=str(tmp_path / "data"),
        STEMSVC_CACHE_DIR=str(tmp_path / "cache"),
        STEMSVC_BROKER_URL=redis_url,
        STEMSVC_READY_FILE=str(ready),
        STEMSVC_CONCURRENCY="1",
    )
    ready.parent.mkdir()
    ready.touch()  # a worker before this one was killed
    command = stemsvc("worker", "--model", "someone/mine", "--download-models")
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(command, env=environment, stderr=log, stdout=log)
    try:
        # when it starts, it is not ready
        wait_for("half of the weights", lambda: any(p.stat().st_size for p in tmp_path.glob("cache/weights/.parts/*")))
        assert b"not ready" in (tmp_path / "worker.log").read_bytes()
        assert not ready.exists()

        # when the hub goes on, it is
        served.released.set()
        wait_for("the worker to be ready", ready.exists)
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)
        assert not ready.exists()
    finally:
        worker.kill()
        worker.wait()


def test_a_worker_whose_weights_can_not_be_had_says_so_and_ends(served: Hub, tmp_path: Path) -> None:
    catalog = tmp_path / "mine.yaml"
    write(catalog, {"hub": "someone/songs", "file": "other.safetensors", "sha256": SHA256})
    environment = plain_environment(
        HF_ENDPOINT=served.endpoint, STEMSVC_CATALOG=str(catalog), STEMSVC_CACHE_DIR=str(tmp_path / "cache")
    )
    command = stemsvc("worker", "--model", "someone/mine", "--download-models")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert "weights_not_found: someone/mine: " in done.stderr


def test_a_checkpoint_is_converted_beside_itself(tmp_path: Path) -> None:
    import torch
    from demucs.demucs import Demucs

    from tests.workers.engine.test_convert import checkpoint

    torch.manual_seed(1)
    path = checkpoint(tmp_path, Demucs)
    done = models("convert", str(path))

    assert done.exit_code == 0, done.output
    target = path.with_suffix(".safetensors")
    assert target.exists()
    assert "sha256: " in done.stdout
    assert sorted(each.suffix for each in tmp_path.iterdir()) == [".safetensors", ".th"]


def test_no_checkpoint_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "x.th").write_bytes(b"")
    done = models("convert", str(tmp_path / "x.th"), "-o", str(tmp_path / "y.safetensors"))

    assert (done.exit_code, "weights_unreadable" in done.stderr) == (1, True)
    assert [each.name for each in tmp_path.iterdir()] == ["x.th"]
