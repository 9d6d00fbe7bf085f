"""Clients that others' generators make of our description run the main job."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.clients import tools as typescript
from tests.clients.tools import HERE, has_node, installed
from tests.flow.conftest import Service
from tests.sounds import tone, write_sound

ROOT = Path(__file__).parents[2]
OPENAPI, SONG = ROOT / "api" / "openapi.json", ROOT / "stemsvc" / "demo" / "song" / "mixture.flac"
BIN = Path(sys.executable).parent
OF_0_1 = ROOT / "tests" / "api" / "openapi-0.1.0.json"  # what clients of release 0.1 were generated from

BY_CLIENT = """
import sys, httpx
from generated import Client
from generated.api.jobs import get_job, submit_job
from generated.models import JobForm
from generated.types import File
url, song, target = sys.argv[1:]
client = Client(base_url=url, timeout=httpx.Timeout(90))
with open(song, "rb") as file:
    form = JobForm(file=File(payload=file, file_name="song.flac"), stems="vocals")
    job = submit_job.sync(client=client, body=form)
while job.state in ("queued", "running"):
    job = get_job.sync(job.id, client=client, prefer="wait=20")
assert job.state == "succeeded", job
open(target, "wb").write(httpx.get(job.stems["vocals"].url).content)
"""

BY_FORM = """
import sys, httpx
from generated import AuthenticatedClient
from generated.api.jobs import get_job, submit_job
from generated.models import JobForm, JobFormDevice, JobFormFormat
from generated.types import File
url, song, target, key = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=key, timeout=httpx.Timeout(90), raise_on_unexpected_status=True)
with open(song, "rb") as file:
    form = JobForm(
        file=File(payload=file, file_name="song.flac", mime_type="audio/flac"),
        device=JobFormDevice.CPU, format_=JobFormFormat.FLAC, stems="vocals", cache=False, residual=True, end=1.5,
        metadata='{"album": 7}',
    )
    job = submit_job.sync(client=client, body=form, idempotency_key="by-form", prefer="wait=20")
assert hasattr(job, "state"), job
while job.state in ("queued", "running"):
    job = get_job.sync(job.id, client=client, prefer="wait=20")
assert job.state == "succeeded", job
assert job.metadata.to_dict() == {"album": 7}, job.metadata
assert sorted(job.stems.additional_properties) == ["residual", "vocals"], job.stems
open(target, "wb").write(httpx.get(job.stems["vocals"].url).content)
"""

BY_GENERATOR = """
import sys, httpx
from generated.api_config import APIConfig
from generated.models import JobRequest, UploadForm
from generated.services.jobs_service import getJob, submitJobFromSource
from generated.services.uploads_service import createUpload
url, song, target, key = sys.argv[1:]
config = APIConfig(base_path=url, access_token=key)
upload = createUpload(config, data=UploadForm(filename="song.flac"))
httpx.put(upload.url, content=open(song, "rb").read(), headers=upload.headers).raise_for_status()
wanted = JobRequest(source={"upload_id": upload.upload_id}, stems=["vocals"])
# this one waits for 5 s, whatever it is told
job = submitJobFromSource(config, data=wanted, Idempotency_Key="one", Prefer="wait=2")
while job.state in ("queued", "running"):
    job = getJob(config, job_id=job.id, Prefer="wait=2")
assert job.state == "succeeded", job
open(target, "wb").write(httpx.get(job.stems["vocals"]["url"]).content)
"""


def generate(command: list[str], folder: Path) -> None:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env={**os.environ, "PATH": path})


def run(script: str, folder: Path, *arguments: str) -> bytes:
    (folder / "main.py").write_text(script)
    target = folder / "vocals.flac"
    command = [sys.executable, "main.py", arguments[0], str(SONG), str(target), *arguments[1:]]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return target.read_bytes()


@pytest.mark.long
@pytest.mark.skipif(not has_node(), reason="needs node and npm")
def test_generated_typescript_clients_pass_the_type_check_and_run_the_main_job(
    running: Service, tmp_path: Path
) -> None:
    song = write_sound(tmp_path / "song.flac", tone(2.0, 44100), 44100)
    folder = tmp_path / "clients"
    shutil.copytree(HERE, folder)
    (folder / "node_modules").symlink_to(installed() / "node_modules")
    # as a user would: from the description that the service serves
    (folder / "openapi.json").write_bytes(httpx.get(f"{running.url}/openapi.json").content)
    typescript.run(folder, "openapi-typescript", "openapi.json", "--output", "schema.d.ts")
    typescript.run(folder, "openapi-ts", "--input", "openapi.json", "--output", "hey")
    typescript.run(folder, "orval", "--config", "orval.config.cjs", STEMSVC_URL=running.url)
    typescript.run(folder, "tsc", "--project", "tsconfig.json")

    for program in ("openapi-fetch", "hey-api", "orval"):
        target = tmp_path / f"{program}.flac"
        typescript.run(folder, "node", f"built/{program}.js", running.url, str(song), str(target))
        assert target.read_bytes()[:4] == b"fLaC", program


@pytest.mark.long
@pytest.mark.usefixtures("celery_setup")
def test_generated_clients_run_the_main_job(running: Service, environment: dict[str, str], tmp_path: Path) -> None:
    one, two, three = tmp_path / "one", tmp_path / "two", tmp_path / "three"
    for folder in (one, two, three):
        folder.mkdir()
    command = [str(BIN / "openapi-python-client"), "generate", "--meta", "none", "--output-path", "generated"]
    generate([*command, "--path", str(OF_0_1)], one)
    generate([*command, "--path", str(OPENAPI)], three)
    generate([str(BIN / "openapi-python-generator"), str(OPENAPI), "generated"], two)

    first = run(BY_CLIENT, one, running.url)
    made = [sys.executable, "-m", "stemsvc", "keys", "create", "generated"]
    key = subprocess.run(made, env=environment, capture_output=True, text=True, check=True).stdout.strip()
    second = run(BY_GENERATOR, two, running.url, key)
    third = run(BY_FORM, three, running.url, key)
    assert first[:4] == second[:4] == third[:4] == b"fLaC"
