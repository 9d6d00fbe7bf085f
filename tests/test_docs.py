"""README and docs are a promise: their commands run, their tables are the code's own, their links lead somewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import helm_python as helm
import pytest
import yaml
from click.testing import CliRunner

from stemsvc.cli.main import main
from stemsvc.embedded.redis_server import free_port
from stemsvc.embedded.stack import running
from stemsvc.errors import TABLE
from stemsvc.jobs.pools import parse_pools
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from tests.docs_tables import PAGES, README, TABLES, fill
from tests.processes import plain_environment, stemsvc, wait_for

ROOT = README.parent
TEXTS = {page.name: page.read_text() for page in PAGES}
ALL = "\n".join(TEXTS.values())
# Run by `.ci/run` (make test) and by tests/stemsvc/cli/test_main.py (what `make demo` calls).
RUN_ELSEWHERE = {"make demo", "make test"}
# What each command must show.
SHOWN = {
    "format=wav": '"state":"queued"', "upload_id": '"state":"queued"', "/events": '"to": "succeeded"',
    "Prefer: wait": '"cached":', "limit=10": '"next_cursor"', "/v1/usage": '"accounts"',
    "stemsvc separate": "vocals.flac", "keys create": "stemsvc_",
    "keys list": "laptop", "models pull": "demo", "webhooks secret": "whsec_", "webhooks list": "no deliveries",
}  # fmt: skip


def blocks(language: str, page: str | None = None) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXTS[page] if page else ALL, re.DOTALL)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What `make up` runs, on a port of its own."""
    data = tmp_path_factory.mktemp("readme") / "data"
    command = stemsvc("up", "--port", str(free_port()), "--data-dir", str(data))
    process = subprocess.Popen(command, env=plain_environment(), stdout=subprocess.DEVNULL)
    yield wait_for("the service", lambda: running(Settings(data_dir=data)), 90).url
    process.terminate()
    process.wait(60)


def test_every_shell_command_runs(service: str, tmp_path: Path) -> None:
    for block in blocks("sh"):
        lines = [line for line in block.splitlines() if line not in RUN_ELSEWHERE]
        assert {line.split()[1] for line in block.splitlines() if line in RUN_ELSEWHERE} <= _make_targets()
        if not lines or ("curl" in block and not shutil.which("curl")):
            continue  # a machine with Python and make alone; the Python examples make the same calls
        script = "\n".join(lines).replace("http://127.0.0.1:8080", service).replace("-o demo-output", f"-o {tmp_path}")
        script = script.replace(".venv/bin/stemsvc", " ".join(stemsvc()))
        environment = plain_environment(STEMSVC_DATA_DIR=str(tmp_path / "data"))
        command = ["sh", "-ec", script]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (script, done.stderr)
        assert '"status"' not in done.stdout, (script, done.stdout)  # a problem
        missing = [words for line, words in SHOWN.items() if line in block and words not in done.stdout]
        assert not missing, (script, done.stdout)


def test_every_python_example_runs(service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stemsvc").symlink_to(ROOT / "stemsvc")
    monkeypatch.chdir(tmp_path)
    for block in blocks("python"):
        exec(compile(block.replace("http://127.0.0.1:8080", service), "docs", "exec"), {})

    assert (tmp_path / "vocals.mp3").stat().st_size > 10_000


def test_the_example_of_an_own_catalog_is_one(tmp_path: Path) -> None:
    (text,) = blocks("yaml", "models.md")
    (tmp_path / "mine.yaml").write_text(text)

    (file,) = load_catalog(tmp_path / "mine.yaml").get("someone/mine").files
    assert file.sha256 is None  # which is why the text goes on with `models lock`


def test_the_tables_are_those_of_the_code() -> None:
    for page in PAGES:
        assert fill(TEXTS[page.name]) == TEXTS[page.name], "run: python -m tests.docs_tables"
    assert [name for name in TABLES if f"<!-- {name} -->" not in ALL] == []  # each stands somewhere


def test_every_code_that_the_errors_page_names_exists() -> None:
    named = set(re.findall(r"^\| `([a-z_]+)`", TEXTS["errors.md"], re.MULTILINE))

    assert len(named) > 100
    assert named <= set(TABLE)


def test_the_readme_is_short() -> None:
    assert len(TEXTS["README.md"].splitlines()) <= 200


def test_every_make_target_that_the_readme_names_exists() -> None:
    assert set(re.findall(r"`make ([a-z-]+)", ALL)) <= _make_targets()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_every_file_that_is_named_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", TEXTS[page.name])
    assert [link for link in links if not link.startswith("http") and not (page.parent / link).exists()] == []
    named = re.findall(r"`((?:api|stemsvc|deploy|helm|tests|workers)/[\w./-]+)`", TEXTS[page.name])
    assert [path for path in named if not (ROOT / path).exists()] == []


def _make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_example_of_pools_is_one(tmp_path: Path) -> None:
    (text,) = (each for each in blocks("yaml", "cluster.md") if each.startswith("pools:"))
    (tmp_path / "pools.yaml").write_text(text)

    first, second = parse_pools(str(tmp_path / "pools.yaml"), load_catalog().names)
    assert (first.time_limit, second.models) == (1800, tuple(load_catalog().names))


def test_the_cluster_s_values_render_and_ask_for_the_secret_that_is_made() -> None:
    (text,) = (each for each in blocks("yaml", "cluster.md") if "workerPools" in each)
    with helm.Chart.load(str(ROOT / "helm" / "stemsvc")) as chart:
        manifests = chart.render(yaml.safe_load(text), name="stemsvc", namespace="music")
    asked = set(re.findall(r"name: stemsvc\n\s+key: ([\w-]+)", "\n".join(manifests.values())))
    commands = "\n".join(blocks("console"))
    assert asked == set(re.findall(r"--from-literal=([\w-]+)=", commands))
    for name in re.findall(r"deploy/([\w-]+)|svc/([\w-]+)", commands):
        assert f"name: {''.join(name)}\n" in "\n".join(manifests.values())
    for arguments in re.findall(r"-- stemsvc (.+)", commands):
        done = CliRunner().invoke(main, [*arguments.split()[:2], "--help"])
        assert done.exit_code == 0, arguments
