"""Entries that are made of entries: what follows from their parts, and what is no chain."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from stemsvc.errors import FatalError, UnknownModel
from stemsvc.kinds.separate.cost import predict_seconds
from stemsvc.kinds.separate.kind import KIND, SeparateParams
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.models.catalog import Catalog, load_catalog

DOCS = Path(__file__).parents[3] / "docs" / "models.md"
ROFORMER = {
    "summary": "s",
    "family": "bs_roformer",
    "licence": "mine",
    "cost": 6.0,
    "memory_mb": 2000,
    "files": [{"path": "x.safetensors"}],
    "config": {
        "audio": {"chunk_size": 352800},
        "model": {"dim": 384, "depth": 6, "stereo": True},
        "training": {"instruments": ["vocals", "other"], "target_instrument": "vocals"},
        "inference": {"num_overlap": 4},
    },
}


def catalog_of(folder: Path, models: dict[str, Any]) -> Catalog:
    path = folder / "models.yaml"
    path.write_text(yaml.safe_dump({"models": {**models, "vocals_roformer": ROFORMER}}, sort_keys=False))
    return load_catalog(path)


def test_the_examples_of_the_docs_are_chains(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    catalog = catalog_of(tmp_path, yaml.safe_load(text)["models"])  # they stand before what they are made of

    chain, voices = catalog.get("vocals_first"), catalog.get("two_voices")
    assert chain.stems == ("vocals", "drums", "bass", "other")
    assert (voices.stems, voices.rest) == (("lead", "drums", "backing"), "backing")
    parts = [catalog.get(name) for name in ("vocals_roformer", "htdemucs_ft")]
    assert [file.key for file in chain.files] == [file.key for part in parts for file in part.files]
    assert chain.memory_mb == 600 + 1400 + 1900
    assert chain.licence_words == "mine, MIT (trained on MUSDB18-HQ and private songs)"
    options = SeparationOptions()  # each with its own overlap: 0.75 and 0.25
    assert predict_seconds(chain, options, 60) == pytest.approx(60 * (6.0 / 0.25 + 0.72 / 0.75))


def test_a_set_is_made_of_models_that_hear_the_whole(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, {})
    several = catalog.get("vocals_roformer+htdemucs")

    assert several.stems == ("vocals", "other", "drums", "bass")  # the first has what both have
    assert [(*step.models, step.hears) for step in several.steps] == [
        ("vocals_roformer", "mixture"),
        ("htdemucs", "mixture"),
    ]
    assert several.memory_mb == 600 + 1400 + 600
    assert several.licence_words == "mine, MIT (trained on MUSDB18-HQ and private songs)"
    assert "vocals_roformer+htdemucs" not in catalog.names
    own = {"summary": "s", "family": "chain"}
    steps = [{"models": ["demo"], "take": ["vocals"]}, {"models": ["demo"], "take": ["drums"], "hears": "mixture"}]
    chain = catalog_of(tmp_path, {"mine": {**own, "steps": steps}}).get("mine")
    assert [step.hears for step in chain.steps] == ["left", "mixture"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("htdemucs+nobody", "model 'nobody' is not one of"),
        ("htdemucs+", "model '' is not one of"),
        ("htdemucs+htdemucs", "htdemucs has no stem that the others lack"),
        ("htdemucs_6s+htdemucs", "htdemucs has no stem that the others lack"),
        ("roformer_ft+mdx_karaoke", "one chain at most"),
        ("htdemucs+roformer_ft", "name the chain first"),
        ("mdx_kara_2+kim_vocal_2+htdemucs+htdemucs_6s+mdx_extra", "4 models at most"),
    ],
)
def test_what_is_no_set(name: str, why: str) -> None:
    with pytest.raises(UnknownModel, match=re.escape(why)):
        load_catalog().get(name)


def test_a_model_s_name_has_no_plus(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="it joins the models of a set"):
        catalog_of(tmp_path, {"a+b": {**ROFORMER, "summary": "s"}})


def test_a_job_leaves_the_overlap_to_each_model(tmp_path: Path) -> None:
    step = {"models": ["demo"], "take": ["vocals"]}
    catalog = catalog_of(tmp_path, {"mine": {"summary": "s", "family": "chain", "steps": [step]}})

    assert KIND.check(SeparateParams("mine"), ["source"], catalog).separation.overlap is None
    assert KIND.check(SeparateParams("demo"), ["source"], catalog).separation.overlap == 0.25
    assert KIND.check(SeparateParams("vocals_roformer"), ["source"], catalog).separation.overlap == 0.75


@pytest.mark.parametrize(
    ("steps", "more", "words"),
    [
        ([{"models": ["nobody"], "take": ["vocals"]}], {}, "'nobody' is no other model"),
        ([{"models": ["demo"], "take": ["flute"]}], {}, "demo has no flute"),
        ([{"models": ["demo"], "take": ["bass"]}, {"models": ["demo"], "take": ["bass"]}], {}, "taken twice"),
        ([{"models": ["demo"], "take": ["bass"]}], {"rest": "bass"}, "taken twice"),
        ([{"models": {"demo": -1}, "take": ["bass"]}], {}, "above 0"),
        ([{"models": ["demo"], "take": ["bass"], "combine": "median"}], {}, "steps.combine"),
        ([{"models": ["mine"], "take": ["bass"]}], {}, "'mine' is no other model"),
        ([], {}, "empty"),
        (None, {}, "list of steps"),
    ],
)
def test_what_is_no_chain_is_said_with_its_line(tmp_path: Path, steps: Any, more: dict[str, str], words: str) -> None:
    with pytest.raises(FatalError, match=words) as caught:
        catalog_of(tmp_path, {"mine": {"summary": "s", "family": "chain", "steps": steps, **more}})

    assert caught.value.code == "bad_catalog"
    assert re.search(r"models\.yaml:\d+: models\.mine\.steps", caught.value.detail)
