"""Judges of candidates: small networks of dense layers, trained by `training/transcription.py`."""

from __future__ import annotations

import hashlib
import importlib.resources
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from stemsvc.errors import WeightsCorrupt
from workers.kinds.transcribe.features import Grid

SHA256 = {
    "notes": "185a55c40df3c30aa76ff0fea1b3c984d76573ded37d4966a80dd12f81bc3ab3",
    "drums": "f2e42da8c9ea8583b9b999510537195131b7884537aa6cf713a880d453046421",
}


@dataclass(frozen=True)
class Judge:
    """Dense layers with rectifiers between them, over features less their mean, in units of their spread."""

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]  # weights [in, out], biases

    def likelihoods(self, features: Grid) -> Grid:
        """From features [n, m], how likely each output is true [n, outputs]."""
        given = np.clip((features - self.mean) / self.spread, -8, 8)
        for weights, biases in self.layers[:-1]:
            given = np.maximum(0, given @ weights + biases)
        weights, biases = self.layers[-1]
        return np.asarray(1 / (1 + np.exp(-np.clip(given @ weights + biases, -30, 30))), np.float32)


@lru_cache
def judge(name: str) -> Judge:
    """The judge of `notes` or of `drums`. Raises `FatalError` `weights_corrupt` for another file than ours."""
    file = importlib.resources.files("workers.kinds.transcribe") / "models" / f"{name}.safetensors"
    content = file.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != SHA256[name]:
        raise WeightsCorrupt(f"{name}.safetensors has the sha256 {found}, not {SHA256[name]}: install stemsvc again")
    return _read(content)


def _read(content: bytes) -> Judge:
    held = load(content)
    count = sum(1 for name in held if name.startswith("weights"))
    layers = tuple((held[f"weights{at}"], held[f"biases{at}"]) for at in range(count))
    return Judge(held["mean"], held["spread"], layers)
