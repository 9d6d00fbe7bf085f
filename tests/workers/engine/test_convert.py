"""Converting upstream's checkpoints: real ones come through, whatever else a pickle may be does not run."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from demucs.apply import BagOfModels, apply_model
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs
from demucs.states import get_state, load_model, save_with_checksum

from stemsvc.errors import FatalError
from stemsvc.models.convert import convert as convert_in_a_child
from stemsvc.models.entry import ModelEntry
from stemsvc.models.pull import Puller
from stemsvc.models.source import WeightFile
from stemsvc.models.store import WeightStore
from workers.engine import weights
from workers.engine.convert import convert

STEMS = ["drums", "bass", "other", "vocals"]
SMALL: dict[type, dict[str, Any]] = {
    HTDemucs: {"channels": 8, "nfft": 2048, "t_layers": 1, "t_heads": 2, "segment": Fraction(39, 10)},
    HDemucs: {"channels": 4, "nfft": 1024, "segment": 4},
    Demucs: {"channels": 8, "depth": 3, "segment": 4},
}
FAMILY = {HTDemucs: "htdemucs", HDemucs: "hdemucs", Demucs: "demucs"}


def checkpoint(folder: Path, kind: type, *, half: bool = True) -> Path:
    """A small random network as upstream's training leaves it, by upstream's own `save_with_checksum`."""
    torch.manual_seed(3)
    network = kind(STEMS, **SMALL[kind])
    args, kwargs = network._init_args_kwargs
    package = {
        "klass": kind,
        "args": args,
        "kwargs": kwargs,
        "state": get_state(network, None, half),
        "training_args": {"dset": {"musdb": "/somewhere"}, "optim": {"lr": 3e-4, "betas": [0.9, 0.999]}, "seed": None},
    }
    save_with_checksum(package, folder / "small.th")
    return next(folder.glob("small-*.th"))


@pytest.mark.parametrize(
    ("kind", "half"),
    [(HTDemucs, True), *(pytest.param(*each, marks=pytest.mark.long) for each in ((HDemucs, False), (Demucs, True)))],
)
def test_a_checkpoint_of_upstreams_separates_identically(tmp_path: Path, kind: type, half: bool) -> None:
    # given upstream's checkpoint, named in a catalog
    path = checkpoint(tmp_path, kind, half=half)
    entry = ModelEntry(
        name="small",
        summary="",
        family=FAMILY[kind],
        stems=tuple(STEMS),
        sample_rate=44100,
        segment_seconds=3.9 if kind is HTDemucs else 4,
        licence="mine",
        files=(WeightFile(path=path),),
    )

    # when it is converted on the way, and loaded
    puller = Puller(WeightStore(tmp_path / "cache"))
    ours = weights.load_model(entry, puller.ensure(entry))

    # then every sample is what upstream's own loader makes of the checkpoint
    theirs = BagOfModels([load_model(path)], None, None if kind is HTDemucs else 4.0)
    theirs.eval()
    song = torch.randn(1, 2, 44100 * 4, generator=torch.Generator().manual_seed(1)) * 0.1
    mine, wanted = (apply_model(bag, song, shifts=0, split=True, overlap=0.25) for bag in (ours, theirs))
    assert torch.equal(mine, wanted)


def test_it_is_converted_once_and_again_where_the_checkpoint_changed(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, Demucs)
    entry = SimpleNamespace(name="small", files=(WeightFile(path=path),), deprecated=None, fallback=None)
    puller = Puller(WeightStore(tmp_path / "cache"))
    (first,) = puller.ensure(entry)
    made = first.stat().st_mtime_ns
    assert puller.ensure(entry) == [first]
    assert first.stat().st_mtime_ns == made

    path.write_bytes(checkpoint_bytes(tmp_path, HDemucs))

    assert puller.ensure(entry) == [first]
    assert first.stat().st_mtime_ns != made


def checkpoint_bytes(folder: Path, kind: type) -> bytes:
    (folder / "other").mkdir()
    return checkpoint(folder / "other", kind).read_bytes()


class _Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self._call


def hostile(folder: Path, name: str) -> Any:
    mark = str(folder / "hostile")
    state = {"x": torch.zeros(1)}
    good = {"klass": HTDemucs, "args": [STEMS], "kwargs": {}, "state": state}
    return {
        "system": {**good, "extra": _Calls(os.system, f"touch {mark}")},
        "in the state": {**good, "state": {"x": _Calls(os.mkdir, mark)}},
        "eval": {**good, "kwargs": _Calls(eval, f"open({mark!r}, 'w')")},
        "another class of demucs": {**good, "klass": BagOfModels},
        "a call of the network": {**good, "extra": _Calls(HTDemucs, STEMS)},
        "a class of torch": {**good, "klass": torch.nn.Linear},
        "no class": {**good, "klass": "demucs.htdemucs.HTDemucs"},
        "numpy object array": {**good, "extra": np.array([_Calls(os.mkdir, mark)], dtype=object)},
        "quantised": {**good, "state": {"__quantized": True, "quantized": state}},
    }[name]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("system", r"posix\.system"),
        ("in the state", r"posix\.mkdir"),
        ("eval", r"eval"),
        ("another class of demucs", r"demucs\.apply\.BagOfModels"),
        ("a call of the network", r"calls demucs\.htdemucs\.HTDemucs"),
        ("a class of torch", r"torch\.nn\.modules\.linear\.Linear"),
        ("no class", "not one of demucs'"),
        ("numpy object array", "numpy|pickle"),
        ("quantised", "diffq"),
    ],
)
def test_a_pickle_that_wants_more_is_refused_by_name(tmp_path: Path, name: str, words: str) -> None:
    path = tmp_path / "hostile.th"
    torch.save(hostile(tmp_path, name), path)
    with pytest.raises(FatalError, match=words) as caught:
        convert(path, tmp_path / "out.safetensors")

    assert caught.value.code == "weights_refused"
    assert not (tmp_path / "hostile").exists()
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("form", ["bare", "torch's old one"])
def test_a_pickle_in_another_form_is_refused(tmp_path: Path, form: str) -> None:
    path = tmp_path / "bare.th"
    if form == "bare":
        path.write_bytes(pickle.dumps(_Calls(os.system, f"touch {tmp_path / 'hostile'}")))
    else:
        torch.save(hostile(tmp_path, "system"), path, _use_new_zipfile_serialization=False)
    with pytest.raises(FatalError) as caught:
        convert(path, tmp_path / "out.safetensors")

    assert caught.value.code in ("weights_refused", "weights_unreadable")
    assert not (tmp_path / "hostile").exists()


def damaged(folder: Path) -> dict[str, bytes]:
    data = checkpoint(folder, Demucs).read_bytes()
    bomb = folder / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50_000_000))
        archive.writestr("archive/version", b"3")
    return {
        "empty": b"",
        "half": data[: len(data) // 2],
        "noise": os.urandom(10_000),
        "text": b"not weights\n",
        "zip bomb": bomb.read_bytes(),
        "middle": data[:500] + bytes(2000) + data[2500:],
    }


@pytest.mark.parametrize("name", ["empty", "half", "noise", "text", "zip bomb", "middle"])
def test_damage_is_a_code(tmp_path: Path, name: str) -> None:
    path = tmp_path / "damaged.th"
    path.write_bytes(damaged(tmp_path)[name])
    with pytest.raises(FatalError) as caught:
        convert(path, tmp_path / "out.safetensors")

    assert caught.value.code in ("weights_refused", "weights_unreadable")
    assert "\n" not in caught.value.detail
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize(
    "package",
    [[1, 2], {"klass": Demucs}, {"klass": Demucs, "args": [], "kwargs": {}, "state": OrderedDict(x=3)}],
    ids=["a list", "no state", "a state of numbers"],
)
def test_what_is_no_checkpoint_is_said_to_be_none(tmp_path: Path, package: Any) -> None:
    path = tmp_path / "odd.th"
    torch.save(package, path)
    with pytest.raises(FatalError) as caught:
        convert(path, tmp_path / "out.safetensors")

    assert caught.value.code == "weights_unreadable"


@pytest.mark.parametrize(("name", "code"), [("system", "weights_refused"), ("nothing", "weights_unreadable")])
def test_the_child_tells_what_it_found(tmp_path: Path, name: str, code: str) -> None:
    path = tmp_path / "file.th"
    if name == "nothing":
        path.touch()
    else:
        torch.save(hostile(tmp_path, name), path)
    with pytest.raises(FatalError, match=r"file\.th: ") as caught:
        convert_in_a_child(path, tmp_path / "out.safetensors")

    assert caught.value.code == code
    assert [each.name for each in tmp_path.iterdir()] == ["file.th"]
