"""Figures of the RoFormers on a CPU: networks of the sizes that people publish, with random weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch

from workers.bench.arithmetic import Peak, fractions, work_of
from workers.bench.engine import RATE, music
from workers.bench.table import Figure, Say, in_turn
from workers.engine.bag import Bag, Chunked
from workers.engine.families.network import ChunkNetwork
from workers.engine.families.roformer import BSRoformer, MelBandRoformer
from workers.engine.separate import Separator

COMMON = {"num_stems": 1, "time_transformer_depth": 1, "freq_transformer_depth": 1, "stft_hop_length": 441}
# `full` are the hyperparameters of the vocals' models that most people use: viperx's and Kimberley Jensen's
PUBLISHED: Mapping[str, tuple[type[ChunkNetwork], Mapping[str, Any]]] = {
    "BS-RoFormer": (BSRoformer, {"dim": 512, "depth": 12, "mask_estimator_depth": 2}),
    "Mel-Band RoFormer": (MelBandRoformer, {"dim": 384, "depth": 6, "num_bands": 60, "mask_estimator_depth": 2}),
}
SMALL: Mapping[str, Mapping[str, int]] = {
    "BS-RoFormer": {"dim": 32, "depth": 1},
    "Mel-Band RoFormer": {"dim": 32, "depth": 1, "num_bands": 24},
}
CHUNKS = {"full": 352_800, "small": 88_200}  # samples


def roformer(name: str, size: str) -> ChunkNetwork:
    """The network of that name with random weights."""
    family, sizes = PUBLISHED[name]
    torch.manual_seed(0)
    return family(**{**COMMON, **sizes, **(SMALL[name] if size == "small" else {})}).requires_grad_(False).eval()


def roformer_figures(size: str, repeats: int, say: Say) -> Iterator[Figure]:
    """How much of the sgemm peak each reaches on a track of one chunk."""
    chunk = CHUNKS[size]
    mixture = music(chunk / RATE)
    for name in PUBLISHED:
        network, peak = roformer(name, size), Peak()
        work = work_of(network, chunk)  # before OpenVINO runs parts of it, which the counter would not see
        separator = Separator(Bag([Chunked(network, RATE, chunk)], ["vocals"]))
        say(f"{name}, {chunk / RATE:g} s of music")
        took = in_turn(repeats, say, ours=partial(separator.separate_array, mixture), sgemm=peak.sample)
        passes = separator.count_segments(len(mixture), ("vocals",))
        yield from fractions(name, work, passes, took["ours"], peak)
