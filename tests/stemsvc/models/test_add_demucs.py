"""`stemsvc models add` of Demucs' networks that MSST trained: a bare state, and a YAML file with the arguments."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.models.catalog import load_catalog
from stemsvc.models.config import read_config
from stemsvc.models.entry import ModelEntry
from stemsvc.models.pull import Puller
from stemsvc.models.store import WeightStore
from stemsvc.settings import Settings
from tests import msst
from tests.stemsvc.models.test_add import add, catalog  # noqa: F401 - a fixture
from tests.workers.engine import reference
from tests.workers.engine.reference import RATE, Sound, assert_faithful, music
from workers.engine.families.load import load
from workers.engine.separate import Separator

# As MSST writes them: a number like 1e-3 is a string to YAML 1.1, and keys without a value are null.
SECTIONS = {
    "htdemucs": """
htdemucs:
  channels: 8
  channels_time:
  growth: 2
  num_subbands: 1
  nfft: 4096
  wiener_iters: 0
  cac: true
  depth: 4
  multi_freqs: []
  dconv_mode: 3
  dconv_init: 1e-3
  bottom_channels: 16
  t_layers: 3
  t_heads: 2
  t_cape_glob_loc_scale: [5000.0, 1.0, 1.4]
  t_lr:
  t_sparse_self_attn: False
""",
    "hdemucs": "\nhdemucs: {channels: 8, channels_time: null, hybrid: True, multi_freqs: [], dconv_init: 0.001}\n",
    "demucs": "\ndemucs: {channels: 8, growth: 2, resample: True}\n",
}
TRAINING = """
audio: {{chunk_size: 88200, min_mean_abs: 0.001}}
training:
  batch_size: 8
  segment: 2
  samplerate: 44100
  channels: 2
  instruments: {instruments}
  target_instrument: null
  lr: 9.0e-05
inference: {{num_overlap: 4, batch_size: 8}}
model: {family}
"""
NAMES = ("Drums", "bass", "other", "vocals")


def config(family: str, instruments: tuple[str, ...] = NAMES) -> str:
    return TRAINING.format(family=family, instruments=list(instruments)) + SECTIONS[family]


def network(family: str, stems: tuple[str, ...]) -> Any:
    return {"htdemucs": reference.htdemucs, "hdemucs": reference.hdemucs, "demucs": reference.demucs}[family](stems)


def published(folder: Path, family: str, wrapped: str = "", instruments: tuple[str, ...] = NAMES) -> tuple[Path, Path]:
    state = network(family, instruments).state_dict()
    weights, text = folder / "tiny.ckpt", folder / "tiny.yaml"
    torch.save({wrapped: state} if wrapped else state, weights)
    text.write_text(config(family, instruments))
    return weights, text


def demixed(network: Any, mixture: Sound, chunks: int, window: int = 2 * RATE) -> dict[str, Sound]:
    """What MSST makes with Demucs' networks: the mean of so many chunks at each place, silence behind the last."""
    whole = torch.nn.functional.pad(torch.from_numpy(mixture.T.copy()), (0, window))
    total, count = torch.zeros(len(network.sources), *whole.shape), torch.zeros(whole.shape[-1])
    with torch.no_grad():
        for start in range(0, len(mixture), window // chunks):
            total[..., start : start + window] += network(whole[None, :, start : start + window])[0]
            count[start : start + window] += 1
    made = (total / count)[..., : len(mixture)].transpose(1, 2).numpy()
    return dict(zip(network.sources, made, strict=True))


def separator(entry: ModelEntry) -> Separator:
    return Separator(load(entry, Puller(WeightStore(Settings().weights_dir), offline=True).ensure(entry)))


@pytest.mark.parametrize(("family", "wrapped"), [("htdemucs", ""), ("hdemucs", "state"), ("demucs", "state_dict")])
def test_a_state_and_its_yaml_separate_as_upstream_s_class(
    catalog: Path,  # noqa: F811
    tmp_path: Path,
    family: str,
    wrapped: str,
) -> None:
    weights, text = published(tmp_path, family, wrapped)
    result = add(catalog, weights, "--config", text, "--licence", "MIT")
    assert result.exit_code == 0, result.output

    entry = load_catalog(catalog).get("tiny")
    assert (entry.family, entry.stems, entry.rest) == (family, ("drums", "bass", "other", "vocals"), None)
    assert (entry.sample_rate, entry.segment_seconds, entry.overlap) == (44100, 2, 0.75)
    for options, chunks in ((None, 4), (SeparationOptions(overlap=0.5), 2)):
        got = separator(entry).separate_array(music(5.3), options=options)
        assert_faithful(got, demixed(network(family, entry.stems), music(5.3), chunks))


@pytest.mark.skipif(not msst.here(), reason="MSST is not here: python -m tests.msst fetches it")
@pytest.mark.long
@pytest.mark.parametrize("frames", [999, 2 * RATE, 2 * RATE + 1, 4 * RATE, 5 * RATE + 7])
@pytest.mark.parametrize("normalize", [False, True])
def test_msst_s_own_class_and_demix_make_the_same(
    catalog: Path,  # noqa: F811
    tmp_path: Path,
    frames: int,
    normalize: bool,
) -> None:
    weights, text = published(tmp_path, "htdemucs")
    text.write_text(text.read_text().replace("num_overlap: 4", f"normalize: {normalize}, num_overlap: 3"))
    assert add(catalog, weights, "--config", text).exit_code == 0
    config = read_config(text)
    config["htdemucs"]["dconv_init"] = 1e-3
    theirs, mixture = msst.htdemucs(config), music(6)[:frames]
    theirs.load_state_dict(torch.load(weights))

    wanted = {stem.lower(): sound for stem, sound in msst.separate("htdemucs", config, theirs, mixture).items()}
    assert_faithful(separator(load_catalog(catalog).get("tiny")).separate_array(mixture), wanted)


def test_a_shifted_pass_hears_the_track_behind_silence(catalog: Path, tmp_path: Path) -> None:  # noqa: F811
    weights, text = published(tmp_path, "htdemucs")
    assert add(catalog, weights, "--config", text).exit_code == 0
    entry, mixture = load_catalog(catalog).get("tiny"), music(3)
    shift = random.Random(0).randint(0, RATE // 2)

    got = separator(entry).separate_array(mixture, options=SeparationOptions(shifts=1, seed=0))
    late = np.concatenate([np.zeros((shift, 2), np.float32), mixture])
    wanted = demixed(network("htdemucs", entry.stems), late, 4)
    assert_faithful(got, {stem: sound[shift:] for stem, sound in wanted.items()})


def test_of_one_instrument_the_other_stem_is_the_rest(catalog: Path, tmp_path: Path) -> None:  # noqa: F811
    weights, text = published(tmp_path, "htdemucs", instruments=("vocals",))
    assert add(catalog, weights, "--config", text).exit_code == 0

    entry, mixture = load_catalog(catalog).get("tiny"), music(3)
    assert (entry.stems, entry.rest) == (("vocals", "instrumental"), "instrumental")
    got = separator(entry).separate_array(mixture)
    assert_faithful({"vocals": got["vocals"]}, demixed(network("htdemucs", ("vocals",)), mixture, 4))
    assert abs(got["vocals"] + got["instrumental"] - mixture).max() < 1e-6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "hdemucs"}, "weights_mismatch.*unknown"),
        ({"model": "apollo"}, "bad_arguments.*model: is 'apollo', not htdemucs"),
        ({"htdemucs": {"channels": 16}}, "weights_mismatch.*have other shapes"),
        ({"htdemucs": {"num_subbands": 4}}, "bad_arguments.*htdemucs.num_subbands"),
        ({"htdemucs": {"depth": 10**9}}, "bad_arguments.*htdemucs.depth"),
        ({"htdemucs": {"swing": 2}}, "bad_arguments.*htdemucs.swing"),
        ({"htdemucs": {"t_heads": 3}}, "weights_mismatch.*describes no network of htdemucs"),
        ({"training": {"segment": 900}}, "bad_arguments.*between 0.25 and 60 s"),
        ({"training": {"instruments": []}}, "bad_arguments.*training.instruments"),
        ({"training": {"channels": 1}}, "bad_arguments.*training.channels"),
        ({"training": None}, "bad_arguments.*training.instruments"),
        ({"htdemucs": 7}, "bad_arguments.*htdemucs: is not a mapping"),
    ],
)
def test_what_does_not_fit_is_said_with_a_code(
    catalog: Path,  # noqa: F811
    tmp_path: Path,
    change: dict[str, Any],
    words: str,
) -> None:
    weights, text = published(tmp_path, "htdemucs")
    said = yaml.safe_load(text.read_text())
    for name, value in change.items():
        said[name] = {**said[name], **value} if isinstance(value, dict) else value
    text.write_text(yaml.safe_dump(said))
    result = add(catalog, weights, "--config", text)

    assert (result.exit_code, catalog.exists()) == (1, False)
    assert re.search(words, result.stderr, re.DOTALL), result.stderr


def test_a_bare_state_needs_its_config(catalog: Path, tmp_path: Path) -> None:  # noqa: F811
    weights, _ = published(tmp_path, "hdemucs")
    result = add(catalog, weights)

    assert result.exit_code == 1
    assert "it is a hdemucs: name its YAML file with --config" in result.stderr
