"""The app over a fresh job store, without processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from stemsvc.control.services import Services
from stemsvc.jobstore.engine import migrate
from stemsvc.settings import Settings


@pytest.fixture
def app_settings(settings: Settings) -> Settings:
    settings.data_dir.mkdir()
    migrate(settings.resolved_database_url)
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
