"""`python -m workers.engine.families.examine WEIGHTS QUESTION.json` says what a network of these families costs.

Nothing is computed: the network runs one chunk on torch's meta device, where tensors have shapes and no numbers. The
last line on stdout is the answer as JSON: the error, or null, and the figures of `stemsvc.models.examine.Examined`.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from stemsvc.errors import StemsvcError, WeightsMismatch, to_wire
from stemsvc.models.config import Hyperparameters, hyperparameters
from stemsvc.models.demucs import DEMUCS, cost_of
from stemsvc.models.header import read_header
from stemsvc.models.uvr import MDXNET
from workers.engine.families.load import check_state, empty_network
from workers.engine.families.mdxnet import PLANES, MDXNet
from workers.engine.families.network import ChunkNetwork
from workers.engine.families.onnx_graph import CannotRun, work
from workers.engine.weights import of_config

# Of two cores of an AMD EPYC. Full-size RoFormers reach 62 (Mel-Band, 228 M) and 67 (BS, 160 M), measured 2026-11.
FLOPS_PER_SECOND = 65e9
PROCESS_MB = 700  # a pool process with torch and nothing loaded, and a track's buffers
ALIVE = 6  # tensors of the largest one's size that are there at the same time


class _Largest(TorchDispatchMode):
    """Notes the bytes of the largest tensor."""

    bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for each in out if isinstance(out, tuple | list) else (out,):
            if isinstance(each, torch.Tensor):
                self.bytes = max(self.bytes, each.numel() * each.element_size())
        return out


def examined(how: Hyperparameters, network: ChunkNetwork) -> dict[str, float]:
    """Cost and memory of a network on the meta device. Raises `FatalError` `weights_mismatch` where it can't run."""
    wave = torch.empty(1, *network.input_shape(how.chunk), device="meta")
    largest, flops = _Largest(), FlopCounterMode(display=False)
    try:
        with torch.inference_mode(), warnings.catch_warnings(), flops, largest:
            warnings.simplefilter("ignore")
            network(wave)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        words = " ".join(str(error).split())[:200]
        raise WeightsMismatch(f"the config describes a {how.family} that can't run: {words}") from error
    parameters = sum(each.numel() for each in network.parameters())
    return _figures(how, flops.get_total_flops(), parameters, largest.bytes, network.prepared_bytes)


def examined_graph(how: Hyperparameters, path: Path) -> dict[str, float]:
    """The same of an MDX-Net's file. Raises `FatalError` `weights_mismatch` and what `read_onnx` raises."""
    MDXNet(path, **how.network)
    shape = (1, PLANES, how.network["dim_f"], how.network["dim_t"])
    try:
        found = work(path, shape)
    except CannotRun as error:
        raise WeightsMismatch(f"OpenVINO can't run {path.name} as the config's network: {error}") from error
    return _figures(how, found.flops, found.parameters, found.largest)


def _figures(how: Hyperparameters, flops: int, parameters: int, largest: int, more: int = 0) -> dict[str, float]:
    seconds = flops / FLOPS_PER_SECOND / (how.chunk / how.sample_rate)
    return {
        "cost": float(f"{max(seconds, 0.01):.2g}"),
        "memory_mb": int(PROCESS_MB + (4 * parameters + ALIVE * largest + more) / 2**20),
        "parameters": parameters,
    }


def _answer(how: Hyperparameters, weights: Path) -> dict[str, float]:
    if how.family == MDXNET:
        return examined_graph(how, weights)
    if how.family in DEMUCS:
        return _examined_demucs(how, weights)
    network = empty_network(how)
    check_state(weights.name, network, read_header(weights).shapes)
    return examined(how, network)


def _examined_demucs(how: Hyperparameters, weights: Path) -> dict[str, float]:
    with torch.device("meta"):
        network = of_config(how)
    check_state(weights.name, network, read_header(weights).shapes)
    cost, memory = cost_of(how.family, how.chunk / how.sample_rate)
    return {"cost": cost, "memory_mb": memory, "parameters": sum(each.numel() for each in network.parameters())}


def main() -> int:
    """Answer the question that the command line names; returns the exit status, 1 on an error."""
    error: StemsvcError | None = None
    found: dict[str, float] | None = None
    try:
        question = json.loads(Path(sys.argv[2]).read_text())
        how = hyperparameters(question["family"], question["config"])
        found = _answer(how, Path(sys.argv[1]))
    except StemsvcError as refusal:
        error = refusal
    print(json.dumps({"error": error and to_wire(error), "examined": found}))
    return int(error is not None)


if __name__ == "__main__":
    sys.exit(main())
