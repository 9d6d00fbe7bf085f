"""Servers for the tests of weights."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stemsvc.models.source import WeightFile
from tests.hub import Hub, hub
from tests.stemsvc.models.cases import FILES, hub_file, url_file


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with one file, also at a plain address."""
    from huggingface_hub import constants

    with hub(dict(FILES)) as each:
        monkeypatch.setattr(constants, "ENDPOINT", each.endpoint)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", each.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 1)
        monkeypatch.setattr("stemsvc.models.transfer.SILENCE_SECONDS", 1.0)
        yield each


@pytest.fixture(params=["hub", "url"])
def file(request: pytest.FixtureRequest, served: Hub) -> WeightFile:
    """The file by either way."""
    return hub_file() if request.param == "hub" else url_file(served)
