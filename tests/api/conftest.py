"""The app over a fresh job store, without processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from api.app import create_app
from stemsvc.control.services import Services
from stemsvc.settings import Settings
from tests.schema import fresh_schema


@pytest.fixture
def app_settings(settings: Settings) -> Settings:
    settings.data_dir.mkdir()
    fresh_schema(settings.resolved_database_url)
    return settings.model_copy(update={"max_upload_bytes": 100_000})


@pytest.fixture
def client(app_settings: Settings) -> Iterator[FlaskClient]:
    app = create_app(app_settings)
    with app.test_client() as client:
        yield client
    app.extensions["stemsvc"].close()


@pytest.fixture
def parts(client: FlaskClient) -> Services:
    found: Services = client.application.extensions["stemsvc"]
    return found


@pytest.fixture
def app_with(app_settings: Settings) -> Iterator[Callable[..., Any]]:
    """Makes the client of an app with changed settings."""
    made = []

    def make(**changes: str) -> Any:
        made.append(create_app(app_settings.model_copy(update=changes)))
        return made[-1].test_client()

    yield make
    for app in made:
        app.extensions["stemsvc"].close()


@pytest.fixture
def url(client: Any) -> Iterator[str]:
    """The address of the client's app, behind a server with threads."""
    server = make_server("127.0.0.1", 0, client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
