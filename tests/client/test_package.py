"""The package as such: what it needs, what it offers, what it knows of the service."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from stemsvc_client import AsyncClient, Client, Job
from stemsvc_client.event_stream import EventStream

from tests.client_codes import TARGET, codes
from tests.processes import plain_environment

ROOT = Path(__file__).parents[2]


def test_there_is_a_class_for_each_code_of_the_service() -> None:
    assert TARGET.read_text() == codes(), "run: python -m tests.client_codes"


def test_both_clients_have_the_same_calls() -> None:
    def calls(client: type) -> dict[str, str]:
        found = {name: each for name, each in vars(client).items() if hasattr(each, "_make")}
        return {name: f"{inspect.signature(each._make)} {each.__doc__}" for name, each in found.items()}

    assert calls(Client) == calls(AsyncClient)
    assert len(calls(Client)) > 15


def test_nothing_but_httpx_is_loaded() -> None:
    script = """import sys, json, httpx
before = set(sys.modules)
import stemsvc_client
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert set(json.loads(done.stdout)) <= {"stemsvc_client", *sys.stdlib_module_names}


def test_a_job_reads_what_older_and_newer_services_say() -> None:
    whole = json.loads((ROOT / "api" / "openapi.json").read_text())["components"]["schemas"]["Job"]["properties"]
    job = Job.of({"id": "x", "created_at": "2026-01-02T03:04:05+00:00", "error": None, "queue_position": None})

    assert job.created_at is not None
    assert (job.created_at.year, job.error, job.warnings, job.progress.fraction) == (2026, None, (), 0.0)
    assert set(inspect.signature(Job).parameters) - {"raw", "warnings", "archive"} <= set(whole)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_read_however_they_are_cut(size: int) -> None:
    text = (
        'retry: 5\r\n\r\n: x\r\nid: 1\r\nevent: state\r\ndata: {"a":\r\ndata:  "\u00e9"}\r\n\r\n'
        "data: 5\n\nevent: progress\ndata:{}\n\n"
    )
    content, stream = text.encode(), EventStream()
    found = [each for at in range(0, len(content), size) for each in stream.feed(content[at : at + size])]

    assert [(each.event, each.id, dict(each.data)) for each in found] == [
        ("state", "1", {"a": "\u00e9"}),
        ("progress", "", {}),
    ]


@pytest.mark.long
def test_the_package_installs_alone_and_runs(tmp_path: Path) -> None:
    source = tmp_path / "client"
    shutil.copytree(ROOT / "client", source, ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__"))
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(source)]
    subprocess.run(install, check=True, env=plain_environment(PYTHONPATH=""), timeout=600)

    listed = [python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    done = subprocess.run(listed, capture_output=True, text=True, check=True, env=plain_environment(PYTHONPATH=""))
    there = {each["name"] for each in json.loads(done.stdout)} - {"pip", "setuptools"}
    needed = {"stemsvc-client", "httpx", "httpcore", "h11", "anyio", "certifi", "idna", "typing_extensions", "sniffio"}
    assert there <= needed
    script = "import stemsvc_client as s; print(s.__version__, s.Client('http://127.0.0.1:9').models)"
    subprocess.run([python, "-c", script], check=True, env=plain_environment(PYTHONPATH=""), cwd=tmp_path)
