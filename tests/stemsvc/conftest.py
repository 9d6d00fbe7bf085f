"""The job store on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stemsvc.control.subscribers import Eraser, count_end
from stemsvc.jobstore import JobStore
from stemsvc.settings import Settings
from stemsvc.storage import Storage, open_storage
from tests.schema import fresh_schema


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


def sqlite_of(settings: Settings) -> str:
    """For modules to which the dialect makes no difference: their fixture `url`."""
    settings.data_dir.mkdir()
    return settings.resolved_database_url


@pytest.fixture
def storage(settings: Settings) -> Storage:
    return open_storage(settings)


@pytest.fixture
def store(url: str, storage: Storage) -> Iterator[JobStore]:
    fresh_schema(url)
    store = JobStore(url, (Eraser(storage), count_end))
    yield store
    store.close()
