"""Upstream's own separation, and how far ours is from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from demucs.apply import BagOfModels, apply_model
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs
from numpy.typing import NDArray

Sound = NDArray[np.float32]
FOUR = ("drums", "bass", "other", "vocals")
SIX = (*FOUR, "guitar", "piano")
RATE = 44100


def htdemucs(stems: tuple[str, ...] = FOUR, seed: int = 0, **changes: Any) -> Any:
    """A small HTDemucs of random weights."""
    torch.manual_seed(seed)
    sizes = {"channels": 8, "t_layers": 3, "t_heads": 2, "segment": 2, "bottom_channels": 16, "dconv_mode": 3}
    return _loud(HTDemucs(list(stems), **{**sizes, **changes}))


def hdemucs(stems: tuple[str, ...] = FOUR, seed: int = 0, **changes: Any) -> Any:
    """A small HDemucs of random weights."""
    torch.manual_seed(seed)
    return _loud(HDemucs(list(stems), **{"channels": 8, "segment": 2, **changes}))


def demucs(stems: tuple[str, ...] = FOUR, seed: int = 0, **changes: Any) -> Any:
    """A small Demucs of random weights."""
    torch.manual_seed(seed)
    return _loud(Demucs(list(stems), **{"channels": 8, "segment": 2, **changes}))


def _loud(network: Any) -> Any:
    """Let the residual branches count: fresh ones are scaled to almost nothing, and errors in them would not show."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(".scale") or "gamma" in name:
                parameter.uniform_(0.3, 0.7)
    return network.eval()


def bag(*networks: Any, weights: list[list[float]] | None = None) -> BagOfModels:
    """The networks as a bag in evaluation mode."""
    return BagOfModels(list(networks), weights).eval()


def music(seconds: float, seed: int = 0, quiet: float = 1.0) -> Sound:
    """Something with tones, noise, an offset and a fade, [frames, 2]."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * 220 * time) * np.exp(-((time * 2) % 1) * 4)
    sides = [0.3 * tone + 0.1 * rng.normal(size=len(time)) + 0.01, 0.2 * tone + 0.1 * rng.normal(size=len(time))]
    return (quiet * np.stack(sides, axis=1)).astype(np.float32)


def upstream(model: BagOfModels, mixture: Sound, **options: Any) -> dict[str, Sound]:
    """What `demucs.api.Separator` does around `apply_model`; shifts are 0 unless said."""
    wav = torch.from_numpy(np.ascontiguousarray(mixture.T))
    mono = wav.mean(0)
    mean, std = mono.mean(), mono.std() + 1e-8
    with torch.no_grad():
        out = apply_model(model, ((wav - mean) / std)[None], **{"shifts": 0, **options})[0] * std + mean
    return {stem: out[i].numpy().T for i, stem in enumerate(model.sources)}


def snr(got: Sound, wanted: Sound) -> float:
    """Decibels of the wanted sound over the error."""
    error = float(np.sum((got.astype(np.float64) - wanted) ** 2))
    return float(10 * np.log10(max(float(np.sum(wanted.astype(np.float64) ** 2)), 1e-30) / max(error, 1e-30)))


def assert_faithful(got: dict[str, Sound], wanted: dict[str, Sound], decibels: float = 100.0) -> None:
    """Hold each stem against upstream's: the decibels, and in fp32 (100 dB) 2e-5 at most."""
    for stem, sound in got.items():
        assert sound.shape == wanted[stem].shape
        assert snr(sound, wanted[stem]) >= decibels, (stem, snr(sound, wanted[stem]))
        assert decibels < 100 or np.abs(sound - wanted[stem]).max() <= 2e-5, stem
