"""`stemsvc models add` of Ultimate Vocal Remover's networks: an ONNX file, and a `.pth` of the family VR."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from stemsvc.cli.main import main
from stemsvc.errors import StemsvcError
from stemsvc.models.catalog import load_catalog
from stemsvc.models.config import hyperparameters
from stemsvc.models.onnx_header import read_onnx
from stemsvc.models.uvr import mark_of
from stemsvc.models.vr import VR
from tests.workers.engine.families.uvr import MDX, VRS, vr_state, write_mdx
from workers.engine.families.load import load_bag
from workers.engine.families.vr import VRNet


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "models.yaml"
    monkeypatch.setenv("STEMSVC_CATALOG", str(path))
    monkeypatch.setenv("STEMSVC_CACHE_DIR", str(tmp_path / "cache"))
    return path


def add(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["models", "add", *map(str, arguments)])


def said(**values: object) -> list[str]:
    return [part for name, value in values.items() for part in ("--set", f"{name}={value}")]


def write_vr(path: Path, name: str) -> Path:
    network = VRNet(**hyperparameters(VR, VRS[name]).network)
    torch.save(vr_state(network), path)
    return path


def test_an_onnx_file_and_what_nobody_can_see_in_it_become_an_entry(catalog: Path, tmp_path: Path) -> None:
    weights = write_mdx(tmp_path / "net.onnx")
    facts = said(mdx_n_fft_scale_set=2048, primary_stem="Vocals", compensate=1.035)
    result = add(weights, *facts, "--licence", "MIT")
    assert result.exit_code == 0, result.output

    entry = load_catalog(catalog).get("net")
    assert (entry.family, entry.stems, entry.rest) == ("mdxnet", ("vocals", "instrumental"), "instrumental")
    assert (entry.config or {})["mdx_dim_f_set"] == MDX["mdx_dim_f_set"]
    assert (entry.hyperparameters.chunk, entry.overlap) == (1024 * 31, 0.25)
    assert 0 < entry.cost < 1
    assert load_bag(entry, [weights]).rest == "instrumental"


def test_a_table_is_read_by_the_files_own_mark(catalog: Path, tmp_path: Path) -> None:
    weights = write_mdx(tmp_path / "net.onnx")
    other = {**MDX, "primary_stem": "Reverb"}
    table = tmp_path / "model_data.json"
    table.write_text(json.dumps({"0" * 32: MDX, mark_of(weights): other}, indent=4))

    assert add(weights, "--config", table).exit_code == 0
    assert load_catalog(catalog).get("net").stems == ("reverb", "noreverb")
    table.write_text(json.dumps({"mdx_model_data": {"0" * 32: MDX}}))
    unknown = add(weights, "--config", table, "--name", "two")
    assert (unknown.exit_code, f"the table has no {mark_of(weights)}" in unknown.stderr) == (1, True)


@pytest.mark.parametrize("name", ["four bands", pytest.param("new", marks=pytest.mark.long)])
@pytest.mark.long
def test_a_pth_says_the_size_of_its_network(catalog: Path, tmp_path: Path, name: str) -> None:
    weights = write_vr(tmp_path / "net.pth", name)
    facts = {key: VRS[name][key] for key in ("vr_model_param", "primary_stem", "window_size")}
    result = add(weights, *said(**facts))
    assert result.exit_code == 0, result.output

    entry = load_catalog(catalog).get("net")
    assert (entry.family, entry.stems, entry.rest) == ("vr", ("vocals", "instrumental"), None)
    wanted = hyperparameters(VR, VRS[name])
    assert entry.hyperparameters.network == wanted.network
    assert entry.cost > 0
    here = CliRunner().invoke(main, ["models", "path", "net"])
    assert load_bag(entry, [Path(here.stdout.strip())]).sources == ["vocals", "instrumental"]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "bad_arguments.*mdx_n_fft_scale_set"),
        ({"primary_stem": "Vocals"}, "bad_arguments.*mdx_n_fft_scale_set: Field required"),
        ({"primary_stem": "Vocals", "mdx_n_fft_scale_set": 1024}, "bad_arguments.*mdx_dim_f_set"),
        ({"primary_stem": "Vocals", "mdx_n_fft_scale_set": 2048, "mdx_dim_f_set": 700}, "weights_mismatch"),
    ],
)
def test_what_does_not_fit_is_said_with_a_code(
    catalog: Path, tmp_path: Path, facts: dict[str, object], words: str
) -> None:
    result = add(write_mdx(tmp_path / "net.onnx"), *said(**facts))
    assert result.exit_code == 1
    assert re.search(words, result.stderr, re.DOTALL), result.stderr
    assert not catalog.exists()


def test_a_layout_that_no_stream_can_follow_is_refused(catalog: Path, tmp_path: Path) -> None:
    weights = write_vr(tmp_path / "net.pth", "four bands")
    result = add(weights, *said(vr_model_param="4band_44100_reverse", primary_stem="Vocals"))

    assert (result.exit_code, "vr_model_param: '4band_44100_reverse' is not one of" in result.stderr) == (1, True)


@pytest.mark.parametrize("what", ["other files", "graphs within", "operators of", "no ONNX"])
def test_a_graph_that_needs_more_than_its_file_is_refused(tmp_path: Path, what: str) -> None:
    import onnx
    from onnx import helper

    path = write_mdx(tmp_path / "net.onnx")
    model = onnx.load(path)
    if what == "other files":
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="/etc/passwd")
    elif what == "graphs within":
        node = helper.make_node("If", ["input"], ["x"], then_branch=model.graph, else_branch=model.graph)
        model.graph.node.append(node)
    elif what == "operators of":
        model.graph.node.append(helper.make_node("Run", ["input"], ["x"], domain="someone"))
    path.write_bytes(model.SerializeToString())
    if what == "no ONNX":
        path.write_bytes(np.random.default_rng(1).bytes(5000))

    with pytest.raises(StemsvcError, match=what) as refused:
        read_onnx(path)
    assert refused.value.code == ("weights_unreadable" if what == "no ONNX" else "weights_refused")


@pytest.mark.parametrize("cut", [0, 1, 100, 5000])
def test_a_file_that_is_cut_off_is_said_to_be_unreadable(tmp_path: Path, cut: int) -> None:
    path = write_mdx(tmp_path / "net.onnx")
    path.write_bytes(path.read_bytes()[:cut])

    with pytest.raises(StemsvcError) as refused:
        read_onnx(path)
    assert refused.value.code == "weights_unreadable"
