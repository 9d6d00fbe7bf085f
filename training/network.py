"""The demo model's network, and its weights as the catalog reads them."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import torch
from demucs.htdemucs import HTDemucs
from safetensors.torch import load_file, save_file

from stemsvc.demo.render import STEMS
from stemsvc.demo.voices import RATE
from training.held_out import OTHER_SEEDS, OWN_SEEDS

SEGMENT = 3  # seconds
ARCHITECTURE: dict[str, Any] = {
    "sources": list(STEMS),
    "channels": 16,
    "depth": 4,
    "nfft": 2048,
    "t_layers": 5,
    "t_heads": 4,
    "bottom_channels": 0,
    "segment": SEGMENT,
    "samplerate": RATE,
}
BRANCHES = ("crosstransformer.layers", "crosstransformer.layers_t")  # of the spectrum, of the waveform


def make_network(start: Path | None) -> HTDemucs:
    """The network with the weights in `start`, or with random ones; layers that `start` lacks change nothing yet."""
    network: HTDemucs = HTDemucs(**ARCHITECTURE)
    if start:
        network.load_state_dict(deepened(load_file(start), network.state_dict()))
    return network


def deepened(saved: dict[str, torch.Tensor], fresh: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights of a transformer with more layers, `fresh`'s, that computes what the one of `saved` does.

    What a new layer adds is scaled by 1e-4 (Touvron et al., 2021, "Going deeper with Image Transformers"). Every layer
    ends in a norm; the gain and offset of the last one of `saved` move to the new last layer, for the new layers'
    norms would take them out again.
    """
    last = {branch: _last_layer(saved, branch) for branch in BRANCHES}
    state = {**fresh, **saved}
    for branch, before in last.items():
        after = _last_layer(fresh, branch)
        for part in ("weight", "bias"):
            kept = f"{branch}.{after}.norm_out.{part}"
            moved = f"{branch}.{before}.norm_out.{part}"
            state[moved], state[kept] = fresh[moved], saved[moved]
    return state


def _last_layer(state: dict[str, torch.Tensor], branch: str) -> int:
    return max(int(found[1]) for name in state if (found := re.match(rf"{re.escape(branch)}\.(\d+)\.", name)))


def save_weights(network: torch.nn.Module, path: Path) -> str:
    """Write half-precision safetensors as `demucs.hf.load_safetensors_model` reads them; returns the sha256."""
    state = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    metadata = {
        "klass": "demucs.htdemucs.HTDemucs",
        "args": "[]",
        "kwargs": json.dumps(ARCHITECTURE),
        "licence": "MIT",
        "held_out_seeds": f"{OWN_SEEDS.start}-{OWN_SEEDS.stop - 1}, {OTHER_SEEDS.start}-{OTHER_SEEDS.stop - 1}",
    }
    part = path.with_suffix(".part")
    save_file(state, part, metadata)
    part.replace(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()
