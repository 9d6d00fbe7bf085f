"""Loads networks of these families: the module from a config's hyperparameters, its state from safetensors files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from stemsvc.errors import WeightsMismatch, WeightsUnreadable
from stemsvc.models.config import Hyperparameters
from stemsvc.models.demucs import DEMUCS
from stemsvc.models.entry import ModelEntry
from stemsvc.models.uvr import MDXNET
from workers.engine.bag import Bag, Chunked
from workers.engine.families.mdx23c import MDX23C
from workers.engine.families.mdxnet import MDXNet
from workers.engine.families.network import ChunkNetwork
from workers.engine.families.roformer import BSRoformer, MelBandRoformer
from workers.engine.families.scnet import SCNet, SCNetMasked, SCNetTran
from workers.engine.families.vr import VRNet

if TYPE_CHECKING:
    from demucs.apply import BagOfModels

NETWORKS: Mapping[str, type[ChunkNetwork]] = {
    "bs_roformer": BSRoformer,
    "mel_band_roformer": MelBandRoformer,
    "mdx23c": MDX23C,
    "scnet": SCNet,
    "scnet_tran": SCNetTran,
    "scnet_masked": SCNetMasked,
    "vr": VRNet,
}
NAMED = 3  # names that an error lists


def load(entry: ModelEntry, paths: Sequence[Path]) -> BagOfModels | Bag:
    """The entry's networks of whatever family. Raises what `load_model` and `load_bag` raise."""
    from workers.engine.weights import load_model

    return load_model(entry, paths) if entry.family in DEMUCS else load_bag(entry, paths)


def load_bag(entry: ModelEntry, paths: Sequence[Path]) -> Bag:
    """The entry's networks in evaluation mode, on the CPU.

    Raises `FatalError` `weights_unreadable`, `weights_mismatch` (the state is not that of the config's network),
    `weights_refused` (a graph that needs more than its file).
    """
    how = entry.hyperparameters
    networks = [
        Chunked(_loaded(entry.name, how, path), how.sample_rate, how.chunk, entry.overlap, normalized=how.normalized)
        for path in paths
    ]
    weights = [list(row) for row in entry.bag_weights] if entry.bag_weights else None
    return Bag(networks, entry.stems, weights, entry.rest)


def empty_network(how: Hyperparameters) -> ChunkNetwork:
    """The network without any numbers, on torch's meta device: its shapes cost no memory.

    Raises `FatalError` `weights_mismatch` where the hyperparameters do not fit each other.
    """
    try:
        with torch.device("meta"):
            network = NETWORKS[how.family](**how.network)
    except (ValueError, RuntimeError, TypeError, AssertionError) as error:
        words = " ".join(str(error).split())[:200]
        raise WeightsMismatch(f"the config describes no network of {how.family}: {words}") from error
    if network.longest_chunk(how.chunk) != how.chunk:
        fits = network.longest_chunk(how.chunk)
        raise WeightsMismatch(f"the config's chunk of {how.chunk} samples does not fit the network; {fits} would")
    return network


def check_state(name: str, network: torch.nn.Module, found: Mapping[str, Sequence[int]]) -> None:
    """Raise `FatalError` `weights_mismatch` unless these names and shapes are exactly those of the network."""
    wanted = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    missing = [key for key in wanted if key not in found]
    unknown = [key for key in found if key not in wanted]
    others = [key for key in wanted if key in found and tuple(found[key]) != wanted[key]]
    said = []
    if missing:
        said.append(f"{len(missing)} are missing: {', '.join(missing[:NAMED])}")
    if unknown:
        said.append(f"{len(unknown)} are unknown: {', '.join(unknown[:NAMED])}")
    if others:
        shapes = (f"{key} is {list(found[key])}, not {list(wanted[key])}" for key in others[:NAMED])
        said.append(f"{len(others)} have other shapes: {'; '.join(shapes)}")
    if said:
        raise WeightsMismatch(f"the weights of {name} are not those of the config's network: {'; '.join(said)}")


def _loaded(name: str, how: Hyperparameters, path: Path) -> ChunkNetwork:
    from safetensors.torch import load_file

    if how.family == MDXNET:
        return MDXNet(path, **how.network).eval()
    network = empty_network(how)
    try:
        state = load_file(path)
    except Exception as error:  # safetensors raises its own error, which has no base that others share
        words = (str(error).splitlines() or [""])[0][:200]
        raise WeightsUnreadable(f"the weights of {name} can't be read from {path}: {words}") from error
    check_state(name, network, {key: tuple(tensor.shape) for key, tensor in state.items()})
    # published states may be fp16: the arithmetic is fp32
    full = {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    network.load_state_dict(full, assign=True)
    return network.requires_grad_(False).eval()
