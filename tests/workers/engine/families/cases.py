"""Small networks of each family: the config as MSST has it, weights that every machine makes alike, and a track."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stemsvc.models.config import hyperparameters, needed
from workers.engine.bag import Bag, Chunked
from workers.engine.families.load import NETWORKS

Sound = NDArray[np.float32]
RATE = 44100
CHUNK = 22050
BANDS = (2,) * 20 + (4,) * 10 + (12,) * 5 + (24,) * 4 + (21,)
ROFORMER = {
    "dim": 16,
    "depth": 2,
    "stereo": True,
    "num_stems": 2,
    "time_transformer_depth": 1,
    "freq_transformer_depth": 1,
    "dim_head": 8,
    "heads": 2,
    "attn_dropout": 0.1,
    "flash_attn": True,
    "stft_n_fft": 512,
    "stft_hop_length": 147,
    "stft_win_length": 512,
    "mask_estimator_depth": 2,
}
SCNET = {
    "audio_channels": 2,
    "dims": [4, 8, 16],
    "nfft": 512,
    "hop_size": 128,
    "win_size": 512,
    "normalized": True,
    "band_SR": [0.175, 0.392, 0.433],
    "band_stride": [1, 4, 16],
    "band_kernel": [3, 4, 16],
    "conv_depths": [3, 2, 1],
    "compress": 4,
    "num_dplayer": 2,
}
TRAN = {"tran_rotary_embedding_dim": 8, "tran_heads": 2, "tran_dim_head": 16}
MDX23C = {
    "act": "gelu",
    "norm": "InstanceNorm",
    "num_subbands": 4,
    "num_scales": 2,
    "scale": [2, 2],
    "num_blocks_per_scale": 2,
    "num_channels": 8,
    "growth": 4,
    "bottleneck_factor": 4,
}
SPECTRUM = {"n_fft": 512, "hop_length": 128, "dim_f": 256, "chunk_size": 128 * 179}


def config(
    model: Mapping[str, Any],
    instruments: tuple[str, ...] = ("vocals", "other"),
    target: str | None = None,
    audio: Mapping[str, Any] | None = None,
    **inference: Any,
) -> dict[str, Any]:
    """The sections of a config."""
    return {
        "audio": {"chunk_size": CHUNK, "sample_rate": RATE, "num_channels": 2, **(audio or {})},
        "model": dict(model),
        "training": {"instruments": list(instruments), "target_instrument": target, "use_amp": False, "lr": 1e-5},
        "inference": {"num_overlap": 2, "batch_size": 1, **inference},
    }


SIX = ("vocals", "drums", "bass", "guitar", "piano", "other")
# By name: the family and its config.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "bs_roformer": ("bs_roformer", config({**ROFORMER, "freqs_per_bands": BANDS})),
    "bs_roformer of one target": (
        "bs_roformer",
        config({**ROFORMER, "num_stems": 1, "freqs_per_bands": BANDS}, target="vocals", num_overlap=4),
    ),
    "bs_roformer with everything": (
        "bs_roformer",
        config(
            {
                **ROFORMER,
                "freqs_per_bands": BANDS,
                "linear_transformer_depth": 1,
                "skip_connection": True,
                "mask_estimator_depth": 3,
                "mlp_expansion_factor": 2,
                "stft_normalized": True,
                "zero_dc": False,
            }
        ),
    ),
    "mel_band_roformer": ("mel_band_roformer", config({**ROFORMER, "num_bands": 20})),
    "mel_band_roformer of six stems": (
        "mel_band_roformer",
        config({**ROFORMER, "num_bands": 24, "num_stems": 6, "linear_transformer_depth": 0}, SIX, num_overlap=3),
    ),
    "mdx23c": ("mdx23c", config(MDX23C, audio=SPECTRUM)),
    "mdx23c with group norms": (
        "mdx23c",
        config({**MDX23C, "norm": "GroupNorm2", "act": "elu0.5"}, target="vocals", audio=SPECTRUM),
    ),
    "scnet": ("scnet", config(SCNET, num_overlap=4, normalize=True)),
    "scnet_tran": ("scnet_tran", config({**SCNET, **TRAN})),
    "scnet_masked": ("scnet_masked", config(SCNET)),
}


def state_of(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Numbers for the network, which depend on nothing but their names; rotary frequencies stay as they are."""
    made = {}
    for name, tensor in network.state_dict().items():
        numbers = np.random.default_rng(zlib.crc32(name.encode())).normal(size=tuple(tensor.shape))
        spread = 0.6 / np.sqrt(max(tensor[0].numel(), 1)) if tensor.ndim > 1 else 0.1
        centre = 1.0 if tensor.ndim == 1 and name.endswith(("gamma", "norm.weight")) else 0.0
        made[name] = torch.from_numpy(np.asarray(centre + spread * numbers, np.float32))
        if name.endswith("rotary_embed.freqs"):
            made[name] = 10000.0 ** -(torch.arange(0, 2 * len(tensor), 2).float() / (2 * len(tensor)))
    return made


def bag_of(name: str, **changes: Any) -> Bag:
    """The case's network as the engine runs it; `changes` are of `Chunked`."""
    family, said = CASES[name]
    how = hyperparameters(family, json.loads(json.dumps(needed(family, said))))
    network = NETWORKS[family](**how.network)
    network.load_state_dict(state_of(network))
    cut = {"chunk": how.chunk, "overlap": how.overlap, "normalized": how.normalized, **changes}
    return Bag([Chunked(network.requires_grad_(False).eval(), how.sample_rate, **cut)], how.stems, rest=how.rest)


def music(frames: int, seed: int = 0) -> Sound:
    """Tones, noise and an offset, [frames, 2]."""
    rng, time = np.random.default_rng(seed), np.arange(frames) / RATE
    tone = np.sin(2 * np.pi * 220 * time) * np.exp(-((time * 2) % 1) * 4)
    sides = [0.3 * tone + 0.1 * rng.normal(size=frames) + 0.01, 0.2 * tone + 0.1 * rng.normal(size=frames)]
    return np.stack(sides, axis=1).astype(np.float32)
