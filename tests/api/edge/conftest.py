"""Apps with other settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api.app import create_app
from stemsvc.settings import Settings


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
