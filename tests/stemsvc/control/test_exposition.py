"""What the api tells Prometheus of the store."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest

from stemsvc.control.dispatcher import repeat
from stemsvc.control.exposition import Exposition
from stemsvc.jobs.pools import single
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import connect, migrate, missing_revisions
from stemsvc.migrations.releases import RELEASES
from stemsvc.settings import Settings


def shown(store: JobStore) -> dict[str, float]:
    """The series without labels."""
    text = Exposition(store, [single("demo", "cpu")]).text().decode()
    return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("release", RELEASES)
def test_tables_that_are_too_old_for_the_program_are_told(settings: Settings, release: str) -> None:
    settings.data_dir.mkdir()
    migrate(settings.resolved_database_url, RELEASES[release])
    store = JobStore(settings.resolved_database_url)
    assert shown(store)["stemsvc_schema_missing_revisions"] > 0
    migrate(settings.resolved_database_url)
    now = shown(store)
    assert (now["stemsvc_schema_missing_revisions"], now["stemsvc_store_up"]) == (0, 1)
    store.close()


def test_a_store_without_tables_lacks_all_and_one_of_a_newer_release_none(settings: Settings) -> None:
    settings.data_dir.mkdir()
    engine = connect(settings.resolved_database_url)
    none = missing_revisions(engine)
    migrate(settings.resolved_database_url)
    assert none > missing_revisions(engine) == 0
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert missing_revisions(engine) == 0
    engine.dispose()


def test_a_sweep_that_fails_is_late_and_one_that_is_whole_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr("stemsvc.observe.metrics.swept", lambda name, interval: told.append((name, interval)))
    stop = threading.Event()
    outcomes = [OSError("away"), OSError("away"), None]

    def sweep() -> None:
        outcome = outcomes.pop(0)
        told.append(outcome)
        if not outcomes:
            stop.set()
        if outcome:
            raise outcome

    repeat("janitor", sweep, 0.001, stop)
    begun = ended = ("janitor", 0.001)
    assert [each if isinstance(each, tuple) else bool(each) for each in told] == [begun, True, True, False, ended]
