"""Compose, images, units: as far as they can be checked without Docker and without systemd as process 1."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from stemsvc.cli.main import main
from stemsvc.jobs.pools import parse_pools
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from tests.lock import CUDA, normal, read
from tests.processes import plain_environment

COMPOSE = Path("deploy/compose.yaml")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
SETTINGS = {f"STEMSVC_{name.upper()}" for name in Settings.model_fields}
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("stemsvc-")}
POOLS = [pool.name for pool in parse_pools("deploy/pools.yaml", load_catalog().names)]


def test_who_keeps_files_keeps_them_on_disk() -> None:
    keepers = {name for name, service in OURS.items() if "/var/lib/stemsvc" in service["volumes"]}
    assert keepers >= {"api", "dispatcher", "fetcher", "worker-cpu", "worker-gpu"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_and_limited(name: str) -> None:
    service = SERVICES[name]
    assert re.search(r":[v\d][\w.-]+$", service["image"])
    assert "memory" in service["deploy"]["resources"]["limits"]
    for mount in service.get("volumes", []):
        source = mount.split(":")[0]
        if source.startswith("."):
            assert (COMPOSE.parent / source).exists(), mount
    for mount in service.get("tmpfs", []):  # which counts as memory
        assert re.search(r"size=(64|256)m$", mount), mount
    for port in service.get("ports", []):  # nothing but nginx is for other machines
        assert name == "nginx" or port.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", OURS)
def test_our_programs_understand_what_compose_tells_them(name: str) -> None:
    service = OURS[name]
    assert set(service["environment"]) <= SETTINGS | {"TMPDIR"}
    assert service["read_only"]
    assert service["user"] == "10001:10001"
    command = service.get("command") or ["api"]
    if "entrypoint" in service:
        compile(command[0], name, "exec")
        return
    help_ = CliRunner().invoke(main, [command[0], "--help"])
    assert help_.exit_code == 0
    assert all(option in help_.output for option in command if option.startswith("--"))
    if command[0] == "worker":
        assert command[2] in POOLS


def test_every_secret_is_asked_for_and_none_is_written_down() -> None:
    text = COMPOSE.read_text()
    asked = set(re.findall(r"\${(\w+):\?", text))
    example = Path("deploy/env.example").read_text()
    offered = re.findall(r"^(\w+)=(.*)$", example, re.MULTILINE)
    assert {name for name, _ in offered} == asked
    assert all(value == "" for _, value in offered)
    assert set(re.findall(r"^#(\w+)=", example, re.MULTILINE)) <= set(re.findall(r"\${(\w+)", text))


@pytest.mark.parametrize("kind", ["api", "worker"])
def test_an_image_runs_as_nobody_special_and_says_what_it_is(kind: str) -> None:
    text = Path(f"deploy/{kind}.Dockerfile").read_text()
    assert text.count("USER 10001:10001") == 1
    assert "HEALTHCHECK" in text
    assert 'org.stemsvc.sbom="/opt/stemsvc/packages.json"' in text
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${BASE}"}
    base = re.search(r"^ARG BASE=(\S+)$", text, re.MULTILINE)
    assert base
    assert re.fullmatch(r"docker\.io/library/python:\d+\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base[1])
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    kept = re.findall(r"^!(\S+)$", Path(".dockerignore").read_text(), re.MULTILINE)
    for source in " ".join(copied).split():
        assert Path(source).exists()
        assert any(source == each or source.startswith(f"{each}/") for each in kept), source


def test_our_images_have_one_base() -> None:
    texts = [path.read_text() for path in Path("deploy").glob("*.Dockerfile")]
    assert len({line for text in texts for line in re.findall(r"^ARG BASE=.*$", text, re.MULTILINE)}) == 1


def test_a_workflow_runs_what_others_wrote_by_its_commit() -> None:
    steps = [line for path in Path(".github/workflows").glob("*.yml") for line in path.read_text().splitlines()]
    used = [line.split("uses:")[1].strip() for line in steps if "uses:" in line]
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []


def test_what_units_and_images_write_is_for_their_user_alone() -> None:
    units = [*Path("deploy/systemd").glob("*.service")]
    assert units
    for unit in units:
        lines = unit.read_text().splitlines()
        assert {"UMask=0077", "StateDirectoryMode=0700"} <= set(lines), unit.name
        assert not [line for line in lines if line.startswith("CacheDirectoryMode")]  # weights are shared
    for kind in ("api", "worker"):
        text = Path(f"deploy/{kind}.Dockerfile").read_text()
        assert re.search(r"install -d -m 0700 -o 10001 -g 10001 /var/lib/stemsvc\b", text), kind


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_units_are_what_systemd_takes(tmp_path: Path) -> None:
    stemsvc = tmp_path / "stemsvc"
    stemsvc.write_text("#!/bin/sh\n")
    stemsvc.chmod(0o755)
    for unit in Path("deploy/systemd").glob("*.service"):
        text = unit.read_text().replace("/opt/stemsvc/bin/stemsvc", str(stemsvc)).replace("User=stemsvc\n", "")
        copy = tmp_path / unit.name.replace("@", "@cpu")
        copy.write_text(text)
        command = re.search(r"^ExecStart=\S+ (\w+)", text, re.MULTILINE)
        assert command
        assert CliRunner().invoke(main, [command[1], "--help"]).exit_code == 0
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True)
        ours = [line for line in done.stderr.splitlines() if unit.stem.rstrip("@") in line and "not found" not in line]
        assert ours == []
    names = re.findall(r"^(STEMSVC_\w+)=", Path("deploy/systemd/stemsvc.env").read_text(), re.MULTILINE)
    assert set(names) <= SETTINGS
