"""`stemsvc models add`: from a checkpoint and its YAML to an entry that separates."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from click.testing import CliRunner, Result

from stemsvc.cli.main import main
from stemsvc.models.add import write_entry
from stemsvc.models.catalog import load_catalog
from tests.hub import hub
from tests.workers.engine.families.cases import CASES, state_of
from workers.engine.families.load import NETWORKS, load_bag


class MSSTDumper(yaml.SafeDumper):
    """Writes tuples as MSST's files have them."""


MSSTDumper.add_representer(
    tuple, lambda dumper, each: dumper.represent_sequence("tag:yaml.org,2002:python/tuple", each)
)


def published(folder: Path, name: str, form: str = "ckpt", wrapped: str = "") -> tuple[Path, Path]:
    """A checkpoint and its YAML, as people publish them."""
    from safetensors.torch import save_file

    from stemsvc.models.config import hyperparameters, needed

    family, config = CASES[name]
    state = state_of(NETWORKS[family](**hyperparameters(family, needed(family, config)).network))
    weights, text = folder / f"tiny net.{form}", folder / "tiny.yaml"
    if form == "safetensors":
        save_file(state, weights)
    else:
        torch.save({wrapped: state, "epoch": 3, "optimizer": {"lr": 0.1}} if wrapped else state, weights)
    text.write_text(yaml.dump(config, Dumper=MSSTDumper))
    return weights, text


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "models.yaml"
    monkeypatch.setenv("STEMSVC_CATALOG", str(path))
    monkeypatch.setenv("STEMSVC_CACHE_DIR", str(tmp_path / "cache"))
    return path


def add(catalog: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["models", "add", "--catalog", str(catalog), *map(str, arguments)])


@pytest.mark.parametrize(
    ("name", "form", "wrapped"),
    [
        ("bs_roformer of one target", "ckpt", ""),
        pytest.param("mel_band_roformer of six stems", "pth", "model_state_dict", marks=pytest.mark.long),
        pytest.param("mdx23c", "safetensors", "", marks=pytest.mark.long),
        pytest.param("scnet_tran", "th", "state_dict", marks=pytest.mark.long),
        pytest.param("scnet", "pt", "", marks=pytest.mark.long),
        pytest.param("scnet_masked", "ckpt", "", marks=pytest.mark.long),
        pytest.param("mel_band_roformer", "ckpt", "", marks=pytest.mark.long),
    ],
)
def test_a_published_checkpoint_becomes_an_entry(
    catalog: Path, tmp_path: Path, name: str, form: str, wrapped: str
) -> None:
    weights, text = published(tmp_path, name, form, wrapped)
    result = add(catalog, weights, "--config", text, "--licence", "MIT")
    assert result.exit_code == 0, result.output

    entry = load_catalog(catalog).get("tiny_net")
    family, config = CASES[name]
    assert (entry.family, entry.licence) == (family, "MIT")
    assert entry.files[0].sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert set(map(str.lower, config["training"]["instruments"])) == set(entry.stems)
    assert 0 < entry.cost < 10
    assert 700 < entry.memory_mb < 2000
    here = CliRunner().invoke(main, ["models", "path", "tiny_net"])
    assert load_bag(entry, [Path(here.stdout.strip())]).sources == list(entry.stems)
    again = add(catalog, weights, "--config", text)
    assert (again.exit_code, "already has a model" in again.stderr) == (1, True)


@pytest.mark.long
def test_a_checkpoint_is_added_by_its_address_and_pulled_from_there(catalog: Path, tmp_path: Path) -> None:
    # given a checkpoint that a server has
    weights, text = published(tmp_path, "bs_roformer of one target")
    with hub({"tiny_net.ckpt": weights.read_bytes()}) as served:
        address = f"{served.endpoint}/plain/tiny_net.ckpt"
        result = add(catalog, address, "--config", text)
        assert result.exit_code == 0, result.output

        # then the entry pins what came, and it is here already
        entry = load_catalog(catalog).get("tiny_net")
        assert (entry.files[0].url, entry.files[0].size) == (address, weights.stat().st_size)
        assert entry.files[0].sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
        here = Path(CliRunner().invoke(main, ["models", "path", "tiny_net"]).stdout.strip())
        assert load_bag(entry, [here]).sources == list(entry.stems)

        # and where it is lost, a pull fetches the same bytes
        here.unlink()
        pulled = CliRunner().invoke(main, ["models", "pull", "tiny_net"])
        assert (pulled.exit_code, here.is_file()) == (0, True), pulled.output

        # but other bytes are refused
        here.unlink()
        served.files["tiny_net.ckpt"] = weights.read_bytes() + b"more"
        assert CliRunner().invoke(main, ["models", "pull", "tiny_net"]).exit_code == 1


def test_an_address_that_has_nothing_adds_nothing(catalog: Path, tmp_path: Path) -> None:
    _, text = published(tmp_path, "bs_roformer of one target")
    with hub({}) as served:
        result = add(catalog, f"{served.endpoint}/plain/none.ckpt", "--config", text)

    assert (result.exit_code, catalog.exists()) == (1, False)
    assert "weights_not_found" in result.stderr


@pytest.mark.long
def test_what_stands_in_the_catalog_stays(catalog: Path, tmp_path: Path) -> None:
    before = "# mine\nmodels:\n  # the first\n  other:\n    summary: s\n    family: hdemucs\n    stems: [a, b]\n"
    before += "    sample_rate: 44100\n    segment_seconds: 5\n    licence: mine\n    files: [{path: x.safetensors}]\n"
    catalog.write_text(before)
    weights, text = published(tmp_path, "bs_roformer")

    result = add(catalog, weights, "--config", text, "--name", "me/two")
    assert result.exit_code == 0, result.output
    assert catalog.read_text().startswith(before)
    assert load_catalog(catalog).names[-2:] == ["other", "me/two"]


@pytest.mark.parametrize(
    "text",
    [
        "models:\n  mine: {summary: s, family: htdemucs, stems: [a], sample_rate: 44100, "
        "segment_seconds: 5, licence: m, files: [{path: x.safetensors}]}\n\n# mine\npresets:\n"
        "  one: {summary: s, options: [{model: demo}]}\n",
        "presets:\n  one: {summary: s, options: [{model: demo}]}\n",
    ],
)
def test_presets_of_a_catalog_stay_where_a_model_is_added(catalog: Path, text: str) -> None:
    catalog.write_text(text)
    before = load_catalog(catalog)
    fields = {"summary": "s", "family": "htdemucs", "stems": ["b"], "sample_rate": 44100, "segment_seconds": 5}
    write_entry(catalog, "added", {**fields, "licence": "m", "files": [{"path": "y.safetensors"}]})

    after = load_catalog(catalog)
    assert after.names == [*before.names, "added"]
    assert after.presets == before.presets
    assert [line for line in catalog.read_text().splitlines() if line in text.splitlines()] == text.splitlines()


class _Calls:
    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return os.system, ("touch hostile",)


def broken(folder: Path, what: str) -> tuple[Path, Path]:
    weights, text = published(folder, "bs_roformer")
    state, config = torch.load(weights), yaml.safe_load(text.read_text().replace("!!python/tuple", ""))
    if what == "missing keys":
        del state["final_norm.gamma"], state["layers.0.0.layers.0.0.to_qkv.weight"]
        state["final_norm.gamma"] = torch.ones(16)
    elif what == "other shapes":
        config["model"]["dim"] = 24
    elif what == "another family":
        state = {"generator.conv.weight": torch.ones(3)}
    elif what == "a config of another family":
        config["model"] = {"dims": [4, 8], "band_stride": [1, 4, 16]}
    elif what == "a program":
        state["x"] = _Calls()
    torch.save(state, weights)
    text.write_text(yaml.safe_dump(config))
    return weights, text


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("missing keys", "weights_mismatch.*1 are missing: layers.0.0.layers.0.0.to_qkv.weight"),
        pytest.param("other shapes", "weights_mismatch.*have other shapes", marks=pytest.mark.long),
        pytest.param("another family", "weights_mismatch.*no family that is known here", marks=pytest.mark.long),
        pytest.param("a config of another family", "bad_arguments.*model", marks=pytest.mark.long),
        ("a program", "weights_refused.*system"),
    ],
)
def test_what_can_not_be_a_model_is_said_with_a_code(catalog: Path, tmp_path: Path, what: str, words: str) -> None:
    weights, text = broken(tmp_path, what)
    result = add(catalog, weights, "--config", text)

    assert result.exit_code == 1
    assert re.search(words, result.stderr, re.DOTALL), result.stderr
    assert not catalog.exists()
    assert not Path("hostile").exists()


def test_a_roformer_needs_its_config(catalog: Path, tmp_path: Path) -> None:
    weights, _ = published(tmp_path, "bs_roformer")
    result = add(catalog, weights)

    assert (result.exit_code, "--config" in result.stderr) == (1, True)
