"""What can't work is told on one line, with what to do, before anything is started."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from stemsvc.cli.main import main
from stemsvc.embedded.ports import free_port
from stemsvc.embedded.preflight import check_folder, check_parts, check_ports
from stemsvc.errors import BadSetting, BrokerUnavailable, DiskLow, FolderRefused, PortTaken, StorageUnavailable
from stemsvc.settings import Settings
from tests.conftest import ACCESS_KEY, SECRET_KEY
from tests.processes import plain_environment, stemsvc


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def up(folder: Path, *arguments: str, **changes: str) -> tuple[int, str]:
    environment = plain_environment(**{"STEMSVC_DATA_DIR": str(folder / "data"), **changes})
    done = subprocess.run(
        stemsvc("up", *arguments), cwd=folder, env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return done.returncode, line


@pytest.mark.long
def test_a_port_in_use_is_told_and_nothing_is_started(tmp_path: Path, taken: int) -> None:
    for detach in ((), ("--detach",)):
        code, line = up(tmp_path, "--port", str(taken), *detach)
        assert (code, line.partition(f"port {taken}")[0]) == (1, "stemsvc: port_taken: another program has ")
        assert "STEMSVC_API_PORT" in line
    assert not (tmp_path / "data" / "logs" / "redis.log").exists()
    assert not (tmp_path / "data" / "jobs.sqlite").exists()


@pytest.mark.long
def test_a_missing_bucket_is_told_at_once(tmp_path: Path, rclone_endpoint: str) -> None:
    s3 = {
        "STEMSVC_STORAGE": "s3",
        "STEMSVC_S3_ENDPOINT_URL": rclone_endpoint,
        "STEMSVC_S3_BUCKET": "nowhere",
        "STEMSVC_S3_REGION": "us-east-1",
        "STEMSVC_S3_ACCESS_KEY_ID": ACCESS_KEY,
        "STEMSVC_S3_SECRET_ACCESS_KEY": SECRET_KEY,
    }
    code, line = up(tmp_path, "--port", "0", **s3)
    assert (code, line) == (
        1,
        "stemsvc: storage_missing: the bucket 'nowhere' does not exist: make the bucket, or correct STEMSVC_S3_BUCKET",
    )
    code, line = up(tmp_path, "--port", "0", **{**s3, "STEMSVC_S3_SECRET_ACCESS_KEY": "wrong"})
    assert (code, "storage_denied" in line) == (1, True)
    assert not (tmp_path / "data" / "logs").exists()


@pytest.mark.parametrize("broken", ["a file", "below a file", "read-only"])
def test_a_folder_that_takes_no_files_is_told(tmp_path: Path, broken: str) -> None:
    (tmp_path / "file").write_text("x")
    folder = {"a file": tmp_path / "file", "below a file": tmp_path / "file" / "data", "read-only": Path("/proc/data")}[
        broken
    ]
    with pytest.raises(FolderRefused, match="STEMSVC_DATA_DIR"):
        check_folder(folder, "STEMSVC_DATA_DIR", 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_another_user_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    with pytest.raises(FolderRefused):
        check_folder(tmp_path / "data", "STEMSVC_DATA_DIR", 0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_a_full_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DiskLow, match="free space, or move STEMSVC_DATA_DIR"):
        check_folder(tmp_path, "STEMSVC_DATA_DIR", 1 << 60)
    monkeypatch.setattr("tempfile.TemporaryFile", lambda dir: open("/dev/full", "wb"))  # noqa: PTH123, SIM115
    with pytest.raises(DiskLow, match="is full"):
        check_folder(tmp_path, "STEMSVC_DATA_DIR", 0)


def test_an_address_of_others_is_told() -> None:
    for host in ("192.0.2.77", "no such host", "nowhere.invalid"):
        with pytest.raises(BadSetting, match="STEMSVC_API_HOST"):
            check_ports([(host, 8080, "x")])


def test_ports_are_looked_at_as_servers_take_them(taken: int) -> None:
    free = free_port()
    check_ports([("127.0.0.1", free, "x"), ("localhost", free, "x"), ("127.0.0.1", 0, "x")])
    with pytest.raises(PortTaken):
        check_ports([("0.0.0.0", taken, "x")])
    with socket.socket() as server, socket.socket() as client:  # a connection that was just closed does not count
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", free))
        server.listen()
        client.connect(("127.0.0.1", free))
        connection, _ = server.accept()
        connection.close()
    check_ports([("127.0.0.1", free, "x")])


def test_parts_that_are_away_are_told_within_seconds(settings: Settings) -> None:
    begun = time.monotonic()
    with pytest.raises(BrokerUnavailable, match="STEMSVC_BROKER_URL"):
        check_parts(settings, private_broker=False)
    away = settings.model_copy(
        update={"storage": "s3", "s3_endpoint_url": f"http://127.0.0.1:{free_port()}", "s3_access_key_id": "x"}
    )
    with pytest.raises(StorageUnavailable, match="STEMSVC_S3_ENDPOINT_URL"):
        check_parts(away, private_broker=True)
    assert time.monotonic() - begun < 25


@pytest.mark.parametrize("command", [["keys", "list"], ["migrate"], ["webhooks", "secret"], ["up"], ["up", "--detach"]])
def test_every_command_tells_of_a_folder_that_can_not_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path / "file"))
    done = CliRunner().invoke(main, command)

    (line,) = done.stderr.splitlines()
    assert (done.exit_code, line.startswith("stemsvc: folder_refused: "), "STEMSVC_DATA_DIR" in line) == (1, True, True)


def test_the_doctor_tells_of_a_folder_that_can_not_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path / "file"))
    done = CliRunner().invoke(main, ["doctor", "--quick", "--json"])

    found = {each["part"]: each for each in json.loads(done.stdout)}
    assert done.exit_code == 1
    assert "folder_refused" in found["data folder"]["what"]
    assert not found["storage"]["ok"]
