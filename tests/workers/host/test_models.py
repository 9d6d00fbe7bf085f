"""A pool process keeps the networks of its last job, of whatever family, and drops them for those of another model."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from stemsvc.cli.main import main
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from tests.stemsvc.models.test_add import published
from tests.stemsvc.models.test_add_uvr import said
from tests.workers.engine.families.uvr import write_mdx
from workers.host.models import Models


def msst(folder: Path, name: str) -> list[str]:
    weights, text = published(folder, name)
    return [str(weights), "--config", str(text)]


def mdx(folder: Path, name: str) -> list[str]:
    facts = said(mdx_n_fft_scale_set=2048, primary_stem="Vocals", compensate=1.035)
    return [str(write_mdx(folder / "net.onnx")), *facts]


@pytest.mark.long
@pytest.mark.parametrize(("name", "made"), [("bs_roformer", msst), ("mdx23c", msst), ("scnet", msst), ("mdxnet", mdx)])
def test_a_network_stays_for_the_next_job_and_goes_for_another_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, made: Callable[[Path, str], list[str]]
) -> None:
    monkeypatch.setenv("STEMSVC_CATALOG", str(tmp_path / "models.yaml"))
    monkeypatch.setenv("STEMSVC_CACHE_DIR", str(tmp_path / "cache"))
    for entry in ("first", "second"):
        added = CliRunner().invoke(main, ["models", "add", *made(tmp_path, name), "--name", entry, "--licence", "MIT"])
        assert added.exit_code == 0, added.output
    models, catalog = Models.of(Settings()), load_catalog(tmp_path / "models.yaml")

    loaded = models.get(catalog.get("first"), "cpu", "auto")
    assert models.get(catalog.get("first"), "cpu", "auto") is loaded

    gone = weakref.ref(loaded)
    del loaded
    models.get(catalog.get("second"), "cpu", "auto")
    gc.collect()
    assert gone() is None
