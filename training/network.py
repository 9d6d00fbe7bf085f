"""The demo model's network, and its weights as the catalog reads them."""

from __future__ import annotations

import hashlib
import json
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
    "t_layers": 2,
    "t_heads": 4,
    "bottom_channels": 0,
    "segment": SEGMENT,
    "samplerate": RATE,
}


def make_network(start: Path | None) -> HTDemucs:
    """The network with the weights in `start`, or with random ones."""
    network: HTDemucs = HTDemucs(**ARCHITECTURE)
    if start:
        network.load_state_dict(load_file(start))
    return network


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
