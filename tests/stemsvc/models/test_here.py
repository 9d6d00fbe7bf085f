"""What the catalog chooses for work in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from stemsvc.kinds.separate.choose import by_quality, by_stems
from stemsvc.kinds.separate.kind import KIND, SeparateParams
from stemsvc.models.here import catalog_here
from stemsvc.models.pull import open_puller
from stemsvc.settings import Settings

SLOW = """models:
  slow:
    summary: s
    family: htdemucs
    stems: [flute, rest]
    sample_rate: 44100
    segment_seconds: 8
    licence: mine
    cost: 9
    files: [{hub: someone/songs, file: x.safetensors, size: 4,
             sha256: 03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4}]
presets:
  winds: {summary: s, options: [{model: slow}, {model: htdemucs, stems: [other]}]}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "catalog.yaml").write_text(SLOW)
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", catalog=tmp_path / "catalog.yaml")


def test_a_slow_model_is_not_fetched_unasked(settings: Settings) -> None:
    chosen = by_quality(catalog_here(settings), "winds", (), "auto")

    assert chosen.entry.name == "htdemucs"
    assert "not slow: 12 s of a CPU for each second of a track, so only after `stemsvc models pull slow`" in chosen.why


def test_a_slow_model_that_is_here_is_taken(settings: Settings) -> None:
    catalog = catalog_here(settings)
    place = open_puller(settings).store.place(catalog.get("slow").files[0])
    place.parent.mkdir(parents=True)
    place.write_bytes(b"1234")

    assert by_quality(catalog, "winds", (), "auto").entry.name == "slow"


def test_of_the_bundled_models_quick_ones_are_chosen_until_others_are_here(tmp_path: Path) -> None:
    catalog = catalog_here(Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache"))

    assert {name: by_quality(catalog, name, (), "auto").entry.name for name in ("best", "vocals", "karaoke")} == {
        "best": "htdemucs_ft", "vocals": "htdemucs_ft", "karaoke": "mdx_kara_2",
    }  # fmt: skip
    chosen = by_stems(catalog, ("vocals", "guitar"), "auto")
    assert chosen is not None
    assert chosen.entry.name == "htdemucs_6s"


def test_a_slow_model_is_taken_by_its_name(settings: Settings) -> None:
    catalog = catalog_here(settings)

    params = KIND.check(KIND.choose(SeparateParams("slow"), catalog, "auto"), ("source",), catalog)
    assert (params.model, params.stems, params.chosen) == ("slow", ("flute", "rest"), "")
