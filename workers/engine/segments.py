"""How a track is cut into overlapping segments, exactly as `demucs.apply.apply_model` cuts it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from stemsvc.kinds.separate.options import SeparationOptions
from workers.engine.mixture import Reader, Sound

OVERLAP = 0.25  # upstream's
SHIFT_SECONDS = 0.5  # upstream's largest random shift


@dataclass(frozen=True)
class Segment:
    """One forward pass: `length` samples from `start` on, passed to the network inside `padded` samples from `begin`.

    Positions count from the track's first sample and may be negative or beyond its end, where the signal is zero.
    """

    start: int
    length: int
    begin: int
    padded: int

    @property
    def trim(self) -> int:
        """Samples of real context before `start` within the padded input."""
        return self.start - self.begin


# Gives what each sample of a segment counts, [length].
Weigher = Callable[[Segment], torch.Tensor]


def triangle(length: int) -> torch.Tensor:
    """Upstream's weight of each sample of a segment: a triangle with its peak, 1, in the middle."""
    half = length // 2
    rising, falling = torch.arange(1, half + 1), torch.arange(length - half, 0, -1)
    weight = torch.cat([rising, falling])
    return weight / weight.max()


@dataclass(frozen=True)
class Pass:
    """One network over the whole track at one shift. `start` is where it begins, at or before sample 0."""

    holes: ClassVar[bool] = False  # whether a sample may have no weight
    summed: ClassVar[bool] = False  # whether the weighed segments just add up to the stems
    rows: ClassVar[int] = 2  # of the network's input

    member: int
    start: int
    frames: int  # where the last segment ends
    window: int  # samples of a full segment
    stride: int
    pad: Callable[[int], int]  # a segment's length -> the length that the network wants

    @property
    def count(self) -> int:
        """Segments of this pass."""
        return -(-(self.frames - self.start) // self.stride)

    @property
    def ends(self) -> int:
        """Samples of the track: what a pass makes beyond them is dropped."""
        return self.frames

    def segments(self) -> Iterator[Segment]:
        """The segments in order."""
        for at in range(self.start, self.frames, self.stride):
            length = min(self.window, self.frames - at)
            padded = self.pad(length)
            yield Segment(at, length, at - (padded - length) // 2, padded)

    def fill(self, reader: Reader, out: Sound, segment: Segment) -> None:
        """Write the network's input into `out` [rows, padded]."""
        reader.fill(out, segment.begin)

    def weigher(self, device: torch.device) -> Weigher:
        """What each sample of a segment counts where segments overlap."""
        weight = triangle(self.window).to(device)
        return lambda segment: weight[: segment.length]


def plan(networks: list[Any], members: list[int], frames: int, options: SeparationOptions) -> list[Pass]:
    """Every pass that `frames` samples take through the networks `members`, in upstream's order.

    The offsets of the shifts are those that upstream's `apply_model(shifts=n)` draws after `random.seed(seed)`. They
    are drawn for every network of the bag, also for those that do not run, so that the others' offsets stay the same.
    """
    draw = random.Random(options.seed)
    passes: list[Pass] = []
    for index, network in enumerate(networks):
        rate = network.samplerate
        window = int(rate * (network.segment if options.segment is None else options.segment))
        stride = int((1 - (OVERLAP if options.overlap is None else options.overlap)) * window)
        longest = int(SHIFT_SECONDS * rate)
        for _ in range(max(options.shifts, 1)):
            start = draw.randint(0, longest) - longest if options.shifts else 0
            run = Pass(index, start, frames, window, stride, _padding(network, options, window))
            if index in members:
                passes.append(run)
            encoder = getattr(network, "crosstransformer", None)
            if options.shifts and encoder is not None and encoder.emb == "sin":
                for _ in range(run.count):  # upstream also draws a shift of its positions, at every forward pass
                    draw.randrange(encoder.sin_random_shift + 1)
    return passes


def _padding(network: Any, options: SeparationOptions, window: int) -> Callable[[int], int]:
    from demucs.htdemucs import HTDemucs

    if isinstance(network, HTDemucs) and options.segment is not None:
        return lambda length: window
    if hasattr(network, "valid_length"):
        return lambda length: int(network.valid_length(length))
    return lambda length: length
