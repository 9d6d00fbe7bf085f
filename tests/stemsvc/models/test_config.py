"""Configs of networks: MSST's files as they are, hostile ones, and what does not fit."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from stemsvc.errors import FatalError
from stemsvc.models.config import hyperparameters, needed, read_config

# As MSST writes them, with keys that only training reads.
MSST = """
audio:
  chunk_size: 352800
  dim_f: 1024
  dim_t: 801 # don't work (use in model)
  num_channels: 2
  sample_rate: 44100
  min_mean_abs: 0.000
model:
  dim: 384
  depth: 6
  stereo: true
  num_stems: 1
  time_transformer_depth: 1
  freq_transformer_depth: 1
  linear_transformer_depth: 0
  freqs_per_bands: !!python/tuple
  - 512
  - 513
  attn_dropout: 0.1
  flash_attn: true
  dim_freqs_in: 1025
  multi_stft_resolutions_window_sizes: !!python/tuple [4096, 2048]
  mlp_expansion_factor: 4 # Probably too big
  use_torch_checkpoint: False
training:
  instruments:
  - vocals
  - other
  lr: 5.0e-05
  target_instrument: vocals
augmentations:
  mixup_probs:
    !!python/tuple
    - 0.2
inference:
  batch_size: 1
  num_overlap: 4
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_a_file_of_msst_is_read_as_it_is(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, MSST))
    how = hyperparameters("bs_roformer", config)

    assert (how.stems, how.rest, how.chunk, how.overlap) == (("vocals", "other"), "other", 352800, 0.75)
    assert how.predicted == ("vocals",)
    assert how.network["freqs_per_bands"] == (512, 513)
    assert not {"attn_dropout", "stereo", "flash_attn"} & set(how.network)
    assert hyperparameters("bs_roformer", needed("bs_roformer", config)) == how
    assert "lr" not in needed("bs_roformer", config)["training"]


@pytest.mark.parametrize(
    ("instruments", "target", "stems", "rest"),
    [
        (["Vocals", "Instrumental"], None, ("vocals", "instrumental"), None),
        (["vocals", "bass", "drums", "other"], "vocals", ("vocals", "instrumental"), "instrumental"),
        (["No Reverb", "reverb"], "No Reverb", ("no_reverb", "reverb"), "reverb"),
        (["vocals", "other"], "other", ("vocals", "other"), "vocals"),
        (["drums", "bass", "other"], "drums", ("drums", "rest"), "rest"),
        (["../../etc", "residual"], None, ("etc", "rest"), None),
    ],
)
def test_stems_follow_from_the_instruments(
    tmp_path: Path, instruments: list[str], target: str | None, stems: tuple[str, ...], rest: str | None
) -> None:
    config = read_config(written(tmp_path, MSST))
    config["training"] = {"instruments": instruments, "target_instrument": target}
    config["model"]["num_stems"] = 1 if target else len(instruments)

    how = hyperparameters("bs_roformer", config)
    assert (how.stems, how.rest) == (stems, rest)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("dim: 384", "dim: 0", "model.dim"),
        ("dim: 384", "dim: 1000000000", "model.dim"),
        ("dim: 384", "dim: many", "model.dim"),
        ("depth: 6", "depth: 6\n  use_pope: true", "model.use_pope"),
        ("stereo: true", "stereo: false", "stereo"),
        ("  - 513", "  - 514", "the bands have 1026 bins"),
        ("num_stems: 1", "num_stems: 3", "num_stems"),
        ("num_overlap: 4", "num_overlap: 50", "inference.num_overlap"),
        ("chunk_size: 352800", "chunk_size: 999999999", "a chunk of 999999999 samples"),
        ("  chunk_size: 352800\n", "", "audio.chunk_size: missing"),
        ("  instruments:\n  - vocals\n  - other\n", "", "training.instruments"),
        ("num_channels: 2", "num_channels: 1", "audio.num_channels"),
    ],
)
def test_what_does_not_fit_is_named_by_its_key(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in MSST
    config = read_config(written(tmp_path, MSST.replace(old, new, 1)))

    with pytest.raises(ValueError, match=words):
        hyperparameters("bs_roformer", config)


LETTERS = "abcdefghij"
BOMB = "a: &a [1, 1]\n" + "".join(
    f"{each}: &{each} [{', '.join([f'*{before}'] * 9)}]\n" for before, each in itertools.pairwise(LETTERS)
)
HOSTILE: dict[str, Any] = {
    "an object": "model: !!python/object/apply:os.system ['true']",
    "a name": "model: !!python/name:os.system",
    "a module": "model: !!python/module:os",
    "aliases of aliases": BOMB,
    "depth": "[" * 5000,
    "bytes": b"\xff\xfe\x00",
    "a list": "- 1\n- 2",
    "half": "model: {dim: [",
    "size": "# " + "x" * 300_000,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.long
def test_a_hostile_file_is_an_error_with_a_code(tmp_path: Path, name: str) -> None:
    path = tmp_path / "config.yaml"
    text = HOSTILE[name]
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FatalError) as caught:
        read_config(path)

    assert caught.value.code == "bad_catalog"
    assert len(caught.value.detail) < 600
