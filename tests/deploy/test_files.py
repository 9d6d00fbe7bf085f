"""Compose and images, as far as they can be checked without Docker."""

from __future__ import annotations

import re
import subprocess
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from click.testing import CliRunner

from stemsvc.cli.main import main
from stemsvc.cli.processes import processes
from stemsvc.embedded.ports import free_port
from stemsvc.embedded.redis_server import find_redis_server
from stemsvc.jobs.pools import parse_pools
from stemsvc.jobstore.engine import connect
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from tests.processes import plain_environment, wait_for

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


def test_what_images_write_is_for_their_user_alone() -> None:
    for kind in ("api", "worker"):
        text = Path(f"deploy/{kind}.Dockerfile").read_text()
        assert re.search(r"install -d -m 0700 -o 10001 -g 10001 /var/lib/stemsvc\b", text), kind


@pytest.mark.parametrize("kind", ["api", "worker"])
def test_a_change_of_our_code_reaches_no_step_of_an_image_before_it_must(kind: str) -> None:
    build, final = Path(f"deploy/{kind}.Dockerfile").read_text().split("FROM ${BASE}")[1:]
    packages, ours = build.split("--packages\n")
    assert not re.search(r"^COPY .*(stemsvc|api|workers|client|pyproject)\b(?!.*lock)", packages, re.MULTILINE)
    assert "stage.sh /opt/stemsvc /staged" in ours
    assert "/opt/stemsvc" not in ours.replace("stage.sh /opt/stemsvc /staged", "")  # that layer stays as it is
    steps = re.findall(r"^(COPY|RUN|ARG) (.*)$", final, re.MULTILINE)
    layers = [(name, rest) for name, rest in steps if name != "ARG"]
    assert layers[0] == ("COPY", "--from=build /opt/stemsvc /opt/stemsvc")
    assert layers[-1] == ("COPY", "--from=build /staged /")
    assert final.index("ARG ") > final.index("/staged /")  # a version or revision makes no layer anew


def test_compose_needs_no_more_connections_than_its_postgresql_has() -> None:
    pools = {pool.name: pool for pool in parse_pools("deploy/pools.yaml", load_catalog().names)}
    workers = [service["command"][2] for service in OURS.values() if service.get("command", [""])[0] == "worker"]
    of_workers = sum(3 * (pools[name].concurrency or 2) + 1 for name in workers)
    pool = connect("postgresql://localhost/none").pool
    of_the_api = Settings().api_processes * (pool.size() + pool._max_overflow)  # type: ignore[attr-defined]
    assert of_the_api + of_workers + 18 + 5 + 15 <= 100  # and fetcher, dispatcher, and what stays for the operator


def test_the_broker_refuses_messages_before_the_kernel_kills_it() -> None:
    valkey = SERVICES["valkey"]
    limit = int(valkey["deploy"]["resources"]["limits"]["memory"].removesuffix("m"))
    said = re.search(r"^maxmemory (\d+)mb\nmaxmemory-policy noeviction$", valkey["command"][-1], re.MULTILINE)
    assert said
    assert 0.5 * limit < int(said[1]) <= 0.6 * limit


@pytest.mark.parametrize("where", ["compose", pytest.param("chart", marks=pytest.mark.long)])
def test_the_broker_s_password_is_not_in_its_arguments(where: str, tmp_path: Path) -> None:
    """The real command, as the shell of the image runs it, with a real server."""
    if where == "compose":
        script = SERVICES["valkey"]["command"][-1].replace("$$", "$")
    else:
        text = Path("helm/stemsvc/templates/redis.yaml").read_text()
        block = text.split("- |\n")[1].split("          env:")[0]
        script = textwrap.dedent(block).replace("{{ $memory }}", "100")
    port = free_port()
    script = script.replace("valkey-server", find_redis_server()).replace("appendonly yes", f"port {port}")
    environment = plain_environment(REDIS_PASSWORD="hunter2hunter2")
    server = subprocess.Popen(["sh", "-c", script], env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port, password="hunter2hunter2") as client:
            assert wait_for("the broker", lambda: _answers(client))
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        assert b"hunter2" not in b"".join(each.arguments for each in processes())
    finally:
        server.terminate()
        server.wait(10)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_the_page_is_installed_and_its_files_reach_the_outside() -> None:
    dist = Path("api/web/dist")
    files = [each.relative_to(dist) for each in dist.rglob("*") if each.is_file()]
    data = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["api"]
    nginx, chart = (
        Path("deploy/nginx/stemsvc.conf").read_text(),
        Path("helm/stemsvc/templates/_helpers.tpl").read_text(),
    )
    named = re.findall(r"location ~ (\S+) \{", nginx)

    assert {"web/dist/*", "web/dist/assets/*"} <= set(data)
    for path in files:
        assert len(path.parts) == 1 or (path.parts[0] == "assets" and len(path.parts) == 2), path
        if len(path.parts) == 1 and path.suffix not in (".html", ".gz"):
            assert any(re.match(pattern, f"/{path}") for pattern in named), path
            assert f"\n/{path}: Exact\n" in chart, path
