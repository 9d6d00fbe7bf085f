"""A hub that publishes tiny generators, and the settings of an operator who accepts their licence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import Hub, hub
from tests.workers.kinds.generate.musicgen.tiny import LICENCE, catalog_file, published


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """The hub. What it served before lies in no cache."""
    from huggingface_hub import constants

    files = {**published("tiny"), **published("wide", 2), **published("tuneful", 1, True)}
    monkeypatch.setenv("STEMSVC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("STEMSVC_ACCEPT_LICENCES", LICENCE.lower())
    with hub(files) as each:
        monkeypatch.setattr(constants, "ENDPOINT", each.endpoint)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", each.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        )
        yield each


@pytest.fixture
def catalog(served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalog with the generator `tiny`."""
    path = catalog_file(tmp_path)
    monkeypatch.setenv("STEMSVC_CATALOG", str(path))
    return path


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """No generator stays in memory from one test to the next."""
    from workers.kinds.generate.musicgen.load import drop

    drop()
    yield
    drop()
