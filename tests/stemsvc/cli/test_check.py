"""`stemsvc check secrets` finds what is kept badly, and prints no secret."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stemsvc.cli.main import main
from stemsvc.cli.processes import processes

SECRET = "correct-horse-9f2c"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of secrets, in one that every user may pass."""
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("STEMSVC_SECRETS_DIR", str(tmp_path / "secrets"))
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "data" / "logs").mkdir(parents=True)
    (tmp_path / "secrets").mkdir()
    return tmp_path / "secrets"


def put(folder: Path, name: str, text: str, mode: int = 0o600) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


def check(*arguments: str) -> Result:
    done = CliRunner().invoke(main, ["check", "secrets", *arguments])
    assert SECRET not in done.output
    return done


def found(*arguments: str) -> dict[str, Any]:
    done = check("--json", *arguments)
    told: dict[str, Any] = json.loads(done.stdout)
    assert (done.exit_code == 0) == told["ok"], told
    return {**told, **{each["name"]: each for each in told["secrets"]}}


def test_what_is_kept_well_is_shown_with_its_place_and_age(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(folder, "client-key", SECRET)
    os.utime(path, (time.time() - 3 * 86400,) * 2)
    monkeypatch.setenv("STEMSVC_STORAGE_SECRET", f"{SECRET}2")

    told = found()
    assert told["problems"] == []
    assert told["STEMSVC_CLIENT_KEY"]["origin"] == str(path)
    assert told["STEMSVC_CLIENT_KEY"]["changed_at"].startswith("20")
    assert told["STEMSVC_STORAGE_SECRET"]["origin"] == "environment"
    assert told["STEMSVC_SECRET_KEY"]["origin"] == "not set"
    assert told["looked_at"]["arguments of processes"] > 0
    assert told["looked_at"]["the chart"] > 10
    (line,) = [each for each in check().stdout.splitlines() if each.startswith("STEMSVC_CLIENT_KEY")]
    assert line.split()[-2:] == ["3", "d"]


def test_a_file_that_everybody_can_read_is_wrong(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, "storage-secret", SECRET, 0o644)
    folder.chmod(0o700)
    assert found()["ok"]  # nobody else may pass its folder
    with tempfile.TemporaryDirectory() as name:  # pytest's own folder is for one user
        path = put(Path(name), "key", SECRET, 0o644)
        Path(name).chmod(0o755)
        monkeypatch.setenv("STEMSVC_CLIENT_KEY_FILE", str(path))
        told = found()
        assert told["STEMSVC_CLIENT_KEY"]["world_readable"]
        assert "every user of this machine can read" in "".join(told["problems"])


@pytest.mark.parametrize(
    "text", [SECRET, f'{{"url": "http://x:{SECRET}@y"}}', base64.b64encode(SECRET.encode()).decode()]
)
def test_a_secret_in_a_log_is_wrong(folder: Path, text: str) -> None:
    put(folder, "client-key", SECRET)
    log = folder.parent / "data" / "logs" / "api.log.1"
    log.write_text(f"one\ntwo {text}\n")

    told = found()
    assert told["STEMSVC_CLIENT_KEY"]["found_in"] == [f"{log}, line 2"]
    assert check().stdout.count("wrong: ") == 1


@pytest.mark.parametrize(
    ("name", "value", "log"),
    [
        ("database_url", f"postgresql://me:{SECRET}%2F@host/db", f"password {SECRET}/"),
        ("broker_url", f"redis://:{SECRET}@host", f"can't reach redis://:{SECRET}@host"),
        ("fetch_proxy", f"http://me:{SECRET}@proxy:1", SECRET),
        ("s3_secret_access_key", SECRET, SECRET),
    ],
)
def test_a_password_in_a_url_is_looked_for(folder: Path, name: str, value: str, log: str) -> None:
    put(folder, name, value)
    (folder.parent / "data" / "logs" / "api.log").write_text(log)
    assert len(found()[f"STEMSVC_{name.upper()}"]["found_in"]) == 1


@pytest.fixture
def talkative() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has the secret in its arguments."""
    process = subprocess.Popen([sys.executable, "-c", "input()", f"--password={SECRET}"], stdin=subprocess.PIPE)
    yield process
    process.communicate()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="only Linux shows processes in /proc")
def test_a_secret_in_the_arguments_of_a_process_is_wrong(folder: Path, talkative: subprocess.Popen[bytes]) -> None:
    put(folder, "flower-password", SECRET)
    (place,) = found()["STEMSVC_FLOWER_PASSWORD"]["found_in"]
    assert place.startswith(f"the arguments of process {talkative.pid} (")
    (seen,) = [each for each in processes() if each.pid == talkative.pid]
    assert seen.started
    assert abs(seen.started - time.time()) < 600


def test_a_secret_in_a_chart_is_wrong(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, "client-key", SECRET)
    chart = tmp_path / "checkout" / "helm" / "stemsvc"
    chart.mkdir(parents=True)
    (chart / "Chart.yaml").write_text("name: stemsvc\n")
    (chart / "values.yaml").write_text(f"settings:\n  STEMSVC_X: {SECRET}\n")
    monkeypatch.chdir(tmp_path / "checkout")
    assert found()["STEMSVC_CLIENT_KEY"]["found_in"] == [f"{chart / 'values.yaml'}, line 2"]

    monkeypatch.chdir(tmp_path)
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(f"data:\n  key: {base64.b64encode(SECRET.encode()).decode()}\n")
    assert found()["ok"]
    assert found("--look", str(rendered))["STEMSVC_CLIENT_KEY"]["found_in"] == [f"{rendered}, line 2"]


def test_broken_files_are_all_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, "client-key", "")
    put(folder, "storage-secret", SECRET)
    monkeypatch.setenv("STEMSVC_SECRET_KEY_FILE", "/nowhere")
    told = found()
    assert len(told["problems"]) == 2
    assert told["STEMSVC_CLIENT_KEY"]["problem"].endswith("is empty")
    assert told["STEMSVC_STORAGE_SECRET"]["problem"] == ""

    monkeypatch.setenv("STEMSVC_SECRETS_DIR", "/nowhere")
    assert any("STEMSVC_SECRETS_DIR: /nowhere" in each for each in found()["problems"])


def test_what_we_made_and_what_is_in_an_env_file_is_looked_at(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.chdir(tmp_path)
    put(tmp_path, ".env", f"STEMSVC_CLIENT_KEY={SECRET}\nSTEMSVC_FLOWER_PASSWORD=short\n")
    put(tmp_path / "data", "signing.key", "ab" * 32)
    (tmp_path / "data" / "logs" / "api.log").write_text(f"short {'ab' * 32}")

    told = found()
    assert told["STEMSVC_CLIENT_KEY"]["origin"] == ".env"
    assert told["STEMSVC_CLIENT_KEY"]["changed_at"]
    assert "too short to look for" in told["STEMSVC_FLOWER_PASSWORD"]["note"]
    assert len(told["signing.key"]["found_in"]) == 1
