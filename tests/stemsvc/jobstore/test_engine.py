"""The tables' revisions, and what is left of a database that nobody uses."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import MIGRATIONS, connect, fold, migrate, newest_revision, revisions
from tests.processes import wait_for


def test_the_newest_revision_is_alembic_s() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    assert newest_revision() == ScriptDirectory.from_config(config).get_current_head()


def test_a_new_connection_has_the_user_of_the_url_as_it_is_then(postgres_url: str) -> None:
    url = sa.make_url(postgres_url).set(username="stems_old", password="one")
    operator, now = connect(postgres_url), [url]
    engine = connect(url.render_as_string(hide_password=False), lambda: now[0].render_as_string(hide_password=False))

    def user() -> tuple[str, str]:
        with engine.connect() as connection:
            found = connection.execute(sa.text("SELECT current_user")).scalar_one()
            return found, connection.connection.dbapi_connection.info.password  # type: ignore[union-attr]

    with operator.begin() as connection:
        for name in ("stems_old", "stems_new"):
            connection.execute(sa.text(f"DROP ROLE IF EXISTS {name}"))
            connection.execute(sa.text(f"CREATE ROLE {name} LOGIN"))
    assert user() == ("stems_old", "one")
    now[0] = url.set(username="stems_new", password="two", host="of.another.example", database="other")
    assert user() == ("stems_old", "one")  # a connection that is open goes on
    with operator.begin() as connection:
        ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'stems_old'"
        connection.execute(sa.text(ours))
    assert user() == ("stems_new", "two")
    engine.dispose()
    operator.dispose()


def test_tables_that_are_up_to_date_are_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    assert revisions(url) == (None, newest_revision())
    assert migrate(url) == newest_revision()
    assert migrate(url) == newest_revision()
    assert revisions(url) == (newest_revision(), newest_revision())


def test_a_database_of_a_process_that_was_killed_is_folded(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    url = f"sqlite:///{path}"
    migrate(url)
    script = (
        "import sys, time; from stemsvc.jobstore import JobStore; from stemsvc.jobstore.workers import Worker\n"
        f"store = JobStore({url!r}); store.keys.waive(); store.recount(); print('here', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout
    with process.stdout as stdout:
        assert stdout.readline() == b"here\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    wait_for("the log that is left behind", lambda: (tmp_path / "jobs.sqlite-wal").exists())

    fold(url)
    assert [each.name for each in tmp_path.iterdir()] == ["jobs.sqlite"]
    JobStore(url).ping()
    fold(f"sqlite:///{tmp_path / 'nothing.sqlite'}")  # nobody has made it, and this does not either
    assert not (tmp_path / "nothing.sqlite").exists()
    fold("postgresql://nowhere/nothing")


@pytest.mark.parametrize("begin", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_who_comes_while_another_makes_the_database_waits_for_it(tmp_path: Path, begin: str) -> None:
    path = tmp_path / "jobs.sqlite"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE first (number INTEGER)")
    other.execute(begin)
    threading.Timer(0.5, lambda: other.execute("COMMIT")).start()

    assert migrate(f"sqlite:///{path}") == newest_revision()
    other.close()
