"""Loading weights: bundled, from a file, and by upstream's Hugging Face path against a local hub."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demucs.htdemucs import HTDemucs
from safetensors.torch import save

from stemsvc.demo.measure import read_sound
from stemsvc.demo.render import STEMS, render_song
from stemsvc.errors import FatalError
from stemsvc.models.catalog import DEMO_WEIGHTS, load_catalog
from stemsvc.models.entry import ModelEntry
from stemsvc.models.source import WeightFile
from tests.hub import COMMIT, hub
from tests.processes import plain_environment, stemsvc
from tests.sounds import write_sound
from workers.engine.weights import load_model

# What upstream does with a track: its own loader, its own normalisation, its own apply_model.
UPSTREAM = """
import sys, numpy as np, soundfile, torch
from demucs.apply import apply_model
from demucs.pretrained import get_model
model = get_model("htdemucs")
wav = torch.from_numpy(soundfile.read(sys.argv[1], dtype="float32", always_2d=True)[0].T.copy())
mono = wav.mean(0)
mean, std = mono.mean(), mono.std() + 1e-8
with torch.no_grad():
    out = apply_model(model, ((wav - mean) / std)[None], shifts=0)[0] * std + mean
np.savez(sys.argv[2], **{stem: out[i].numpy().T for i, stem in enumerate(model.sources)})
"""


def small_htdemucs() -> bytes:
    """A random HTDemucs in the layout of the published files."""
    torch.manual_seed(7)
    kwargs = {"sources": list(STEMS), "channels": 8, "nfft": 2048, "t_layers": 1, "t_heads": 2}
    model = HTDemucs(**kwargs, segment=Fraction(39, 10))
    fraction = {"_type": "fraction", "numerator": 39, "denominator": 10}
    metadata = {
        "klass": "demucs.htdemucs.HTDemucs",
        "args": "[]",
        "kwargs": json.dumps({**kwargs, "segment": fraction}),
    }
    return save({name: value.contiguous() for name, value in model.state_dict().items()}, metadata)


def own_catalog(folder: Path, weights: bytes) -> Path:
    """A catalog whose htdemucs is these weights on the hub."""
    entry = load_catalog().get("htdemucs").model_dump(mode="json", exclude_none=True, exclude={"name"})
    source = {"hub": "adefossez/HTDemucs", "file": "955717e8.safetensors", "revision": COMMIT}
    files = [{**source, "sha256": hashlib.sha256(weights).hexdigest(), "size": len(weights)}]
    path = folder / "catalog.yaml"
    path.write_text(json.dumps({"models": {"htdemucs": {**entry, "segment_seconds": 3.9, "files": files}}}))
    return path


@pytest.mark.long
def test_our_float_output_is_what_upstream_makes_of_the_same_file_and_weights(tmp_path: Path) -> None:
    # given weights on a hub that speaks as Hugging Face does
    files = {
        "adefossez/HTDemucs/htdemucs.yaml": b"models: ['955717e8']\n",
        "adefossez/HTDemucs/955717e8.safetensors": small_htdemucs(),
    }
    song = np.sum(list(render_song(9400, 9.0).values()), axis=0).T
    path = write_sound(tmp_path / "song.flac", song, 44100)
    catalog = own_catalog(tmp_path, files["adefossez/HTDemucs/955717e8.safetensors"])
    with hub(files) as served:
        environment = plain_environment(
            HF_ENDPOINT=served.endpoint,
            HF_HOME=str(tmp_path / "hf"),
            STEMSVC_CATALOG=str(catalog),
            STEMSVC_CACHE_DIR=str(tmp_path / "cache"),
        )

        # when upstream and we separate the file
        theirs = [sys.executable, "-c", UPSTREAM, str(path), str(tmp_path / "theirs.npz")]
        subprocess.run(theirs, env=environment, check=True, timeout=120)
        ours = [
            "separate",
            str(path),
            "-o",
            str(tmp_path),
            "--model",
            "htdemucs",
            "--format",
            "wav",
            "--bit-depth",
            "float32",
        ]
        subprocess.run(stemsvc(*ours), env=environment, check=True, timeout=120)

    # then every stem agrees to 100 dB
    reference = np.load(tmp_path / "theirs.npz")
    for stem in STEMS:
        sound, rate = read_sound(tmp_path / f"song - {stem}.wav")
        error = np.sum((sound.astype(np.float64) - reference[stem]) ** 2)
        assert rate == 44100
        assert sound.shape == song.shape
        assert 10 * np.log10(np.sum(reference[stem].astype(np.float64) ** 2) / max(error, 1e-30)) >= 100


def test_the_bundled_model_is_what_the_catalog_says() -> None:
    entry = load_catalog().get("demo")
    model = load_model(entry, [DEMO_WEIGHTS])

    assert tuple(model.sources) == entry.stems
    network = model.models[0]
    assert isinstance(network, HTDemucs)
    assert network.segment == entry.segment_seconds
    assert not model.training


def entry_of(path: Path, **changes: Any) -> ModelEntry:
    fields: dict[str, Any] = {
        "name": "mine",
        "summary": "",
        "family": "htdemucs",
        "stems": STEMS,
        "sample_rate": 44100,
        "segment_seconds": 3.9,
        "licence": "mine",
        "files": (WeightFile(path=path),),
    }
    return ModelEntry(**{**fields, **changes})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(small_htdemucs())
    return path


def test_weights_from_a_file_of_ones_own(path: Path) -> None:
    assert list(load_model(entry_of(path), [path]).sources) == list(STEMS)


def test_a_bag_of_files_has_the_weights_of_the_catalog(path: Path) -> None:
    rows = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 1.0, 1.0))
    entry = entry_of(path, files=(WeightFile(path=path),) * 2, bag_weights=rows)

    assert load_model(entry, [path, path]).weights == [list(row) for row in rows]


@pytest.mark.parametrize(
    "change",
    [{"stems": ("vocals", "rest")}, {"sample_rate": 48000}, {"segment_seconds": 7.8}, {"family": "hdemucs"}],
)
def test_weights_of_another_model_than_the_catalog_says(path: Path, change: dict[str, object]) -> None:
    with pytest.raises(FatalError, match=next(iter(change))) as caught:
        load_model(entry_of(path, **change), [path])

    assert caught.value.code == "weights_mismatch"


@pytest.mark.parametrize("data", [b"", b"no weights", small_htdemucs()[:5000], bytes(100), b"\xff" * 100])
def test_weights_that_can_not_be_read(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(FatalError) as caught:
        load_model(entry_of(path), [path])

    assert caught.value.code == "weights_unreadable"


@pytest.mark.parametrize(
    "metadata",
    [
        {"klass": "os.system", "args": '["touch hostile"]', "kwargs": "{}"},
        {"klass": "demucs.utils.fatal", "args": '["x"]', "kwargs": "{}"},
        {"klass": "demucs.apply.BagOfModels", "args": "[[]]", "kwargs": "{}"},
        {"args": "[]", "kwargs": "{}"},
        {
            "klass": "demucs.htdemucs.HTDemucs",
            "args": "[]",
            "kwargs": "{}",
            "structure": '{"_dict": [["x", {"_class": "os.system"}]]}',
        },
    ],
)
def test_metadata_that_names_what_is_no_network_is_refused(path: Path, metadata: dict[str, str]) -> None:
    path.write_bytes(save({"x": torch.zeros(1)}, metadata))
    with pytest.raises(FatalError) as caught:
        load_model(entry_of(path), [path])

    assert caught.value.code == "weights_refused"
