"""Separation of one mixture by one network or bag of networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stemsvc.errors import FatalError

if TYPE_CHECKING:
    from demucs.apply import BagOfModels

OVERLAP = 0.25
# Called after each finished segment with (finished, all). What it raises ends the separation.
OnSegment = Callable[[int, int], None]


def separate(
    model: BagOfModels, mixture: NDArray[np.float32], stems: tuple[str, ...], device: str, on_segment: OnSegment
) -> dict[str, NDArray[np.float32]]:
    """Separate [frames, 2] at the model's rate into {stem: [frames, 2]}, as upstream's `Separator` does with shifts=0.

    The mixture is normalised by the mean and standard deviation of its mono mix, cut into segments that overlap by a
    quarter, and the stems are scaled back. Raises `FatalError` `separation_not_finite` for NaN or infinite output.
    """
    import torch
    from demucs.apply import apply_model

    wav = torch.from_numpy(np.array(mixture.T, np.float32))
    mono = wav.mean(0)
    spread = mono.std() if len(mono) > 1 else torch.zeros(())  # one sample has no deviation
    mean, std = mono.mean(), spread + 1e-8
    total = count_segments(model, wav.shape[-1])
    done = 0

    def count(state: dict[str, Any]) -> None:
        nonlocal done
        if state["state"] == "end":
            done += 1
            on_segment(done, total)

    with torch.inference_mode():
        normal = ((wav - mean) / std)[None]
        out = apply_model(model, normal, shifts=0, split=True, overlap=OVERLAP, device=device, callback=count)[0]
        out = out.mul_(std).add_(mean)  # in place: a second copy of every stem is the largest thing here
        if not torch.isfinite(out).all():
            raise FatalError("separation_not_finite", "the network returned samples that are no numbers")
    return {stem: out[model.sources.index(stem)].T.numpy() for stem in stems}


def count_segments(model: BagOfModels, frames: int) -> int:
    """Forward passes that `frames` samples take: upstream's stride over every network of the bag."""
    total = 0
    for network in model.models:
        segment = int(model.samplerate * network.segment)
        total += len(range(0, frames, int((1 - OVERLAP) * segment)))
    return total
