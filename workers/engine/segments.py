"""How a track is cut into overlapping segments, exactly as `demucs.apply.apply_model` cuts it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stemsvc.separation import SeparationOptions

if TYPE_CHECKING:
    import torch

SHIFT_SECONDS = 0.5  # upstream's largest random shift


@dataclass(frozen=True)
class Segment:
    """One forward pass: `length` samples from `start` on, handed to the network inside `padded` samples from `begin`.

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


@dataclass(frozen=True)
class Pass:
    """One network over the whole track at one shift. `start` is where it begins, at or before sample 0."""

    member: int
    start: int
    frames: int  # of the track
    window: int  # samples of a full segment
    stride: int
    pad: Callable[[int], int]  # a segment's length -> the length that the network wants

    @property
    def count(self) -> int:
        """Segments of this pass."""
        return -(-(self.frames - self.start) // self.stride)

    def segments(self) -> Iterator[Segment]:
        """The segments in order."""
        for at in range(self.start, self.frames, self.stride):
            length = min(self.window, self.frames - at)
            padded = self.pad(length)
            yield Segment(at, length, at - (padded - length) // 2, padded)


def plan(networks: list[Any], members: list[int], frames: int, options: SeparationOptions) -> list[Pass]:
    """Every pass that `frames` samples take through the networks `members`, in upstream's order.

    The offsets of the shifts are those that upstream's `apply_model(shifts=n)` draws after `random.seed(seed)`. They
    are drawn for every network of the bag, run or not, so that leaving one out changes nothing for the others.
    """
    draw = random.Random(options.seed)
    passes: list[Pass] = []
    for index, network in enumerate(networks):
        rate = network.samplerate
        window = int(rate * (network.segment if options.segment is None else options.segment))
        stride = int((1 - options.overlap) * window)
        longest = int(SHIFT_SECONDS * rate)
        for _ in range(max(options.shifts, 1)):
            start = draw.randint(0, longest) - longest if options.shifts else 0
            run = Pass(index, start, frames, window, stride, _padding(network, options, window))
            if index in members:
                passes.append(run)
            encoder = getattr(network, "crosstransformer", None)
            if options.shifts and encoder is not None and encoder.emb == "sin":
                for _ in range(run.count):  # upstream draws the shift of its positions too, at every forward pass
                    draw.randrange(encoder.sin_random_shift + 1)
    return passes


def _padding(network: Any, options: SeparationOptions, window: int) -> Callable[[int], int]:
    from demucs.htdemucs import HTDemucs

    if isinstance(network, HTDemucs) and options.segment is not None:
        return lambda length: window
    if hasattr(network, "valid_length"):
        return lambda length: int(network.valid_length(length))
    return lambda length: length


def triangle(length: int) -> torch.Tensor:
    """Upstream's weight of each sample of a segment: a triangle with its peak, 1, in the middle."""
    import torch

    half = length // 2
    rising, falling = torch.arange(1, half + 1), torch.arange(length - half, 0, -1)
    weight = torch.cat([rising, falling])
    return weight / weight.max()


class OverlapAdd:
    """Sums one pass's segments and hands out what no later segment will touch.

    Memory is one segment's tail, whatever the track's length. The additions happen in upstream's order, so the
    result is bitwise that of adding every segment into a buffer of the whole track.
    """

    def __init__(self, run: Pass, weight: torch.Tensor) -> None:
        self._pass = run
        self._weight = weight  # [window], on the device of the segments
        self._held = 0  # samples of the buffers below that are in use
        self._sum = weight.new_empty(0)  # [stems, channels, window] from the next sample to hand out on
        self._weights = weight.new_empty(0)  # [window]
        self._product = weight.new_empty(0)

    def add(self, segment: Segment, stems: torch.Tensor) -> torch.Tensor:
        """Add one segment's [stems, channels, length]; returns the finished samples [stems, channels, n]."""
        import torch

        if not self._held:
            shape = (*stems.shape[:-1], self._pass.window)
            self._sum, self._product = stems.new_empty(shape), stems.new_empty(shape)
            self._weights = stems.new_empty(self._pass.window)
        length, both = segment.length, min(segment.length, self._held)
        weight = self._weight[:length]
        product = torch.mul(stems, weight, out=self._product[..., :length])
        for total, new in ((self._sum, product), (self._weights, weight)):
            total[..., :both] += new[..., :both]
            total[..., both:length] = new[..., both:]
        self._held = max(self._held, length)
        last = segment.start + self._pass.stride >= self._pass.frames
        ready = self._held if last else min(self._pass.stride, self._held)
        finished = torch.div(self._sum[..., :ready], self._weights[:ready])
        for total in (self._sum, self._weights):
            total[..., : self._held - ready] = total[..., ready : self._held].clone()
        self._held -= ready
        return finished


class Reader:
    """Normalised samples [channels, n] of a track at any position; zero outside it."""

    def __init__(self, read: Callable[[int, int], NDArray[np.float32]], frames: int, mean: float, scale: float) -> None:
        self._read = read
        self._frames = frames
        self._mean = np.float32(mean)
        self._scale = np.float32(scale)

    def fill(self, out: NDArray[np.float32], begin: int) -> None:
        """Write the samples from `begin` on into `out` [channels, n]."""
        end = begin + out.shape[-1]
        first, last = max(begin, 0), min(end, self._frames)
        out[:, : max(first - begin, 0)] = 0
        out[:, max(last - begin, 0) :] = 0
        if last > first:
            inside = out[:, first - begin : last - begin]
            np.subtract(self._read(first, last).T, self._mean, out=inside)
            np.divide(inside, self._scale, out=inside)
