"""Programs that get every secret from files: they start, take up changed ones, and give none away."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from stemsvc.demo import SONG
from stemsvc.embedded.ports import free_port
from stemsvc.embedded.state import running
from stemsvc.settings import Settings
from tests.conftest import ACCESS_KEY, SECRET_KEY
from tests.processes import LocalProcess, plain_environment, stemsvc, wait_for


def put(folder: Path, name: str, text: str) -> None:
    """Put a file there, whole at one moment, as who mounts secrets does."""
    draft = folder.parent / f"{name}.draft"
    draft.write_text(f"{text}\n")
    draft.chmod(0o600)
    draft.replace(folder / name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    return tmp_path / "secrets"


def status(url: str, token: str) -> int:
    return httpx.get(f"{url}/v1/jobs", headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code


@pytest.fixture
def api(folder: Path, tmp_path: Path, redis_url: str) -> Iterator[LocalProcess]:
    """An api of two processes. Only the folder of secrets says where its broker is and which key it has."""
    port = free_port()
    put(folder, "STEMSVC_BROKER_URL", redis_url)
    put(folder, "bootstrap-key", secrets.token_hex(32))
    environment = plain_environment(
        STEMSVC_DATA_DIR=str(tmp_path / "data"), STEMSVC_SECRETS_DIR=str(folder), STEMSVC_API_STREAMS="1"
    )

    def answers(_: LocalProcess) -> bool:
        try:
            return bool(httpx.get(f"http://127.0.0.1:{port}/healthz/ready", timeout=5).json()["status"] == "ok")
        except (httpx.HTTPError, ValueError, KeyError):
            return False

    url = f"http://127.0.0.1:{port}"
    process = LocalProcess("api", stemsvc("api", "--port", str(port)), environment, tmp_path, answers, url)
    try:
        process.ready()
        yield process
    finally:
        process.teardown()


@pytest.mark.long
def test_the_bootstrap_key_opens_an_api_that_takes_up_another(api: LocalProcess, folder: Path) -> None:
    # given an api whose secrets are files
    url, old, new = api.celeryconfig["url"], (folder / "bootstrap-key").read_text().strip(), secrets.token_hex(32)
    assert [status(url, token) for token in (old, new)] == [200, 401]

    # when the key's file and the broker's change
    put(folder, "bootstrap-key", new)
    put(folder, "STEMSVC_BROKER_URL", "redis://:another-password@127.0.0.1:1/0")
    wait_for("the new key", lambda: status(url, new) == 200, 120)

    # then the old key works for a while, and the log says what was changed, and what needs a restart
    assert status(url, old) == 200
    said = wait_for("the log", lambda: api.logs() if "must be restarted" in api.logs() else None, 60)
    assert "STEMSVC_BROKER_URL" in said
    assert not [each for each in (old, new, "another-password") if each in said]


@pytest.mark.long
def test_a_stack_with_secrets_in_files_alone_does_a_job(
    folder: Path, tmp_path: Path, postgres_url: str, rclone_endpoint: str
) -> None:
    # given files for everything that is secret
    key, password = secrets.token_hex(32), secrets.token_hex(16)
    files = {
        "database_url": postgres_url,
        "s3_access_key_id": ACCESS_KEY,
        "s3_secret_access_key": SECRET_KEY,
        "secret_key": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "storage_secret": secrets.token_hex(32),
        "flower_password": password,
        "bootstrap_key": key,
    }
    for name, text in files.items():
        put(folder, name, text)
    environment = plain_environment(
        STEMSVC_DATA_DIR=str(tmp_path / "data"), STEMSVC_SECRETS_DIR=str(folder), STEMSVC_STORAGE="s3",
        STEMSVC_S3_ENDPOINT_URL=rclone_endpoint, STEMSVC_S3_BUCKET="stems", STEMSVC_S3_REGION="us-east-1",
        STEMSVC_DEFAULT_MODEL="demo", STEMSVC_POOLS="demo:cpu", STEMSVC_CONCURRENCY="1", STEMSVC_API_PROCESSES="1",
        STEMSVC_API_STREAMS="1", STEMSVC_BOOTSTRAP_SCOPES="submit,read",
    )  # fmt: skip
    up = subprocess.Popen(stemsvc("up", "--port", str(free_port())), env=environment, stdout=subprocess.DEVNULL)
    try:
        stack = wait_for("the stack", lambda: running(Settings(data_dir=tmp_path / "data")), 240)

        # when the key's owner sends a song
        bearer = {"Authorization": f"Bearer {key}"}
        with SONG.open("rb") as song, httpx.Client(base_url=stack.url, headers=bearer, timeout=90) as client:
            job = client.post("/v1/jobs", files={"file": song}, data={"stems": "vocals"}).json()
            done = wait_for("the job", lambda: _ended(client, job["id"]), 240)
        assert done["state"] == "succeeded", done
        assert httpx.get(done["stems"]["vocals"]["url"], timeout=60).status_code == 200

        # then no process has a secret in its arguments or its environment, and no log has one
        checked = subprocess.run(
            stemsvc("check", "secrets", "--json"), env=environment, capture_output=True, text=True, timeout=120
        )
        told = json.loads(checked.stdout)
        sought = {"STEMSVC_S3_SECRET_ACCESS_KEY", "STEMSVC_BOOTSTRAP_KEY", "STEMSVC_SECRET_KEY", "broker of `up`"}
        found = {each["name"]: each["found_in"] for each in told["secrets"] if each["name"] in sought}
        assert found.keys() == sought
        rclone_s = [place for place in found.pop("STEMSVC_S3_SECRET_ACCESS_KEY") if "rclone" not in place]
        assert rclone_s == [place for places in found.values() for place in places] == []
        assert told["looked_at"]["logs"] >= 4
        hidden = [text.encode() for name, text in files.items() if name != "database_url"]
        children = Path(f"/proc/{up.pid}/task/{up.pid}/children")
        for child in children.read_text().split() if children.exists() else []:
            given = Path(f"/proc/{child}/environ").read_bytes()
            assert [text for text in hidden if text in given] == [], child
    finally:
        up.terminate()
        up.wait(120)


def _ended(client: httpx.Client, job_id: str) -> dict[str, Any] | None:
    job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
    return job if job["state"] in ("succeeded", "failed") else None
