"""Probes while the store is locked, slow or stopped."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from api.app import create_app
from stemsvc.control.services import Services
from stemsvc.jobstore.engine import migrate
from stemsvc.settings import Settings
from tests.api.views.test_keys import make, submit
from tests.postgres import frozen
from tests.processes import wait_for

SOON = 1.0  # seconds; the chart's probe gives 5


@contextmanager
def locked(settings: Settings, mode: str = "NORMAL") -> Iterator[None]:
    """Nobody else can write; with the mode EXCLUSIVE nobody else can read either."""
    with closing(sqlite3.connect(settings.data_dir / "jobs.sqlite", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA locking_mode={mode}")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE jobs SET stage = stage")
        yield


def seconds(client: Any, path: str, status: int = 200) -> float:
    start = time.monotonic()
    assert client.get(path).status_code == status
    return time.monotonic() - start


@pytest.fixture
def narrow(app_settings: Settings) -> Iterator[Any]:
    """An app in which one request works at a time."""
    app = create_app(app_settings.model_copy(update={"api_threads": 1, "rate_limit": "1 per hour"}))
    yield app
    app.extensions["stemsvc"].close()


def test_probes_pass_by_the_requests_that_wait_for_the_store(narrow: Any, app_settings: Settings) -> None:
    gate, statuses = narrow.extensions["gate"], []
    post = threading.Thread(target=lambda: statuses.append(submit(narrow.test_client(), {}).status_code))
    with locked(app_settings):
        post.start()
        wait_for("the only place to be taken", lambda: gate._working._value == 0)
        for _ in range(3):
            assert seconds(narrow.test_client(), "/healthz/live") < SOON
            assert seconds(narrow.test_client(), "/healthz/ready") < SOON + 2
            assert seconds(narrow.test_client(), "/metrics") < SOON + 2
        assert gate._working._value == 0  # it still waits
    post.join()
    assert statuses == [201]


@pytest.mark.parametrize("with_key", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_store_that_can_not_be_read_is_not_ready_and_kills_nobody(app_settings: Settings, with_key: bool) -> None:
    app = create_app(app_settings)
    parts: Services = app.extensions["stemsvc"]
    if with_key:
        make(parts)
    parts.store.close()  # so that the next connection meets the lock
    with locked(app_settings, "EXCLUSIVE"):
        client = app.test_client()
        assert seconds(client, "/healthz/live") < SOON
        assert seconds(client, "/healthz/ready", 503) < SOON + 2
        assert client.get("/healthz/ready").json["parts"]["store"] == "store_unavailable"  # type: ignore[index]
        assert "stemsvc_store_up 0.0" in client.get("/metrics").text
    wait_for("the store to be ready", lambda: app.test_client().get("/healthz/ready").status_code == 200)
    parts.close()


def test_a_postgresql_that_stopped_is_not_ready_and_piles_up_no_threads(settings: Settings, postgres_url: str) -> None:
    settings.data_dir.mkdir()
    migrate(postgres_url)
    app = create_app(settings.model_copy(update={"database_url": postgres_url}))
    client = app.test_client()
    assert seconds(client, "/healthz/ready") < 30  # it has a connection now
    before = threading.active_count()

    with frozen(postgres_url):
        asks = [threading.Thread(target=lambda: seconds(app.test_client(), "/healthz/ready", 503)) for _ in range(20)]
        start = time.monotonic()
        for ask in asks:
            ask.start()
        for ask in asks:
            ask.join()
        assert time.monotonic() - start < SOON + 2
        assert seconds(client, "/healthz/live") < SOON
        assert "stemsvc_store_up 0.0" in client.get("/metrics").text
        assert (
            threading.active_count() <= before + 2
        )  # the store is asked by one, for probes, and by one for the figures

    wait_for("the store to be ready", lambda: client.get("/healthz/ready").status_code == 200)
    assert "stemsvc_store_up 1.0" in client.get("/metrics").text
    app.extensions["stemsvc"].close()
