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
from alembic.config import Config
from alembic.script import ScriptDirectory

from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import MIGRATIONS, fold, migrate, newest_revision, revisions
from tests.processes import wait_for


def test_the_newest_revision_is_alembic_s() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    assert newest_revision() == ScriptDirectory.from_config(config).get_current_head()


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
