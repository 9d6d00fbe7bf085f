"""Loads a catalog entry's networks of demucs from safetensors files. Their hashes were checked before."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from torch.overrides import TorchFunctionMode

from stemsvc.errors import FatalError, WeightsMismatch, WeightsRefused, WeightsUnreadable
from stemsvc.models.config import Hyperparameters
from stemsvc.models.entry import ModelEntry
from workers.engine.bag import Plain

if TYPE_CHECKING:
    from demucs.apply import BagOfModels

# The classes that a file may name: upstream imports and calls whatever a file names.
CLASSES = {
    "htdemucs": "demucs.htdemucs.HTDemucs",
    "hdemucs": "demucs.hdemucs.HDemucs",
    "demucs": "demucs.demucs.Demucs",
}


def load_model(entry: ModelEntry, paths: Sequence[Path]) -> BagOfModels:
    """The entry's networks, which are demucs', as a bag in evaluation mode, on the CPU.

    Raises `FatalError` `weights_refused` (its class is not one of demucs'), `weights_unreadable`, `weights_mismatch`.
    """
    from demucs.apply import BagOfModels

    networks = [_network(entry, path) if entry.config is None else _of_config(entry, path) for path in paths]
    weights = [list(row) for row in entry.bag_weights] if entry.bag_weights else None
    # a transformer takes only segments of its own length; upstream's bags set the length for the others
    segment = None if entry.family == "htdemucs" else entry.segment_seconds
    bag = BagOfModels(networks, weights, segment)
    bag.eval()
    _check(entry, bag)
    bag.sources = list(entry.stems)
    cast(Any, bag).rest = entry.rest
    if entry.config is not None:
        cast(Any, bag).plain = Plain(entry.overlap, entry.hyperparameters.normalized)
    return bag


def of_config(how: Hyperparameters) -> Any:
    """The network that a config describes, without its numbers.

    Raises `FatalError` `weights_mismatch` where its arguments do not fit each other.
    """
    module, _, name = CLASSES[how.family].rpartition(".")
    try:
        with _Unset():
            return getattr(importlib.import_module(module), name)(**how.network)
    except (ValueError, RuntimeError, TypeError, AssertionError, ZeroDivisionError, IndexError) as error:
        words = " ".join(str(error).split())[:200]
        raise WeightsMismatch(f"the config describes no network of {how.family}: {words}") from error


def _network(entry: ModelEntry, path: Path) -> Any:
    from demucs.hf import load_safetensors_model

    _check_class(path)
    try:
        with _Unset():
            network: Any = load_safetensors_model(path)
        network.loaded_from = path
        return network
    except Exception as error:  # on a damaged file upstream raises whatever the damage causes
        raise _unreadable(entry.name, path, error) from error


def _of_config(entry: ModelEntry, path: Path) -> Any:
    """A network whose file says nothing of its arguments."""
    from safetensors.torch import load_file

    from workers.engine.families.load import check_state

    how = entry.hyperparameters
    named = [stem for stem in entry.stems if stem != entry.rest]
    network = of_config(how.model_copy(update={"network": {**how.network, "sources": named}}))
    try:
        state = load_file(path)
    except Exception as error:  # safetensors raises its own error, which has no base that others share
        raise _unreadable(entry.name, path, error) from error
    check_state(entry.name, network, {key: tuple(tensor.shape) for key, tensor in state.items()})
    network.load_state_dict(state)
    network.loaded_from = path
    return network


class _Unset(TorchFunctionMode):
    """Leaves a new network's weights undrawn: those of the file replace them. Drawing takes a third of a second."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def _check_class(path: Path) -> None:
    """Refuse a file whose metadata would make upstream import anything but a network of demucs'."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        classes = [metadata.get("klass", "no class"), *_classes(json.loads(metadata.get("structure", "null")))]
    except Exception as error:  # safetensors raises its own error, which has no base that others share
        raise _unreadable(path.name, path, error) from error
    for name in classes:
        if name not in CLASSES.values():
            raise WeightsRefused(f"{path.name} names {name}, which is not a network of demucs'")


def _classes(structure: Any) -> list[str]:
    """The classes that a nested state names (upstream's quantised files do)."""
    if isinstance(structure, dict):
        named = [str(structure["_class"])] if "_class" in structure else []
        return named + [each for value in structure.values() for each in _classes(value)]
    if isinstance(structure, list):
        return [each for value in structure for each in _classes(value)]
    return []


def _check(entry: ModelEntry, bag: BagOfModels) -> None:
    facts = {
        "family": ({_class_name(network) for network in bag.models}, {CLASSES[entry.family]}),
        "stems": (tuple(bag.sources), tuple(stem for stem in entry.stems if stem != entry.rest)),
        "sample_rate": (bag.samplerate, entry.sample_rate),
    }
    if entry.family == "htdemucs":
        lengths = {round(float(cast(Any, network).segment), 3) for network in bag.models}
        facts["segment_seconds"] = (lengths, {round(entry.segment_seconds, 3)})
    for name, (found, expected) in facts.items():
        if found != expected:
            raise WeightsMismatch(
                f"the weights of {entry.name} do not fit the model in the catalog: {name} is {found}, not {expected}",
            )


def _class_name(network: Any) -> str:
    return f"{type(network).__module__}.{type(network).__qualname__}"


def _unreadable(name: str, path: Path, error: Exception) -> FatalError:
    words = (str(error).splitlines() or [""])[0][:200]
    return WeightsUnreadable(f"the weights of {name} can't be read from {path}: {words}")
