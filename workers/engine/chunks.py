"""How a track is cut into chunks that fade into each other: as MSST's `demix` does it, or as UVR's networks want it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stemsvc.kinds.separate.options import SeparationOptions
from workers.engine.bag import Chunked
from workers.engine.mixture import Reader, Sound
from workers.engine.segments import SHIFT_SECONDS, Pass, Segment, Weigher
from workers.engine.uvr_chunks import CUTS

FADE = 10  # a fade is so small a part of a chunk
SILENCE = -1  # a position that no sample of the track stands for


@dataclass(frozen=True)
class PlainPass(Pass):
    """One network over a whole track, in chunks that count alike where they overlap, with silence behind the last."""

    def segments(self) -> Iterator[Segment]:
        """The chunks in order."""
        for at in range(self.start, self.frames, self.stride):
            yield Segment(at, min(self.window, self.frames - at), at, self.window)

    def weigher(self, device: torch.device) -> Weigher:
        """See `Pass`."""
        ones = torch.ones(self.window, device=device)
        return lambda segment: ones[: segment.length]


@dataclass(frozen=True)
class ChunkPass(PlainPass):
    """One network over a whole track of `track` samples, whose ends are mirrored by `border` samples each.

    The mirror is as long as what the next chunk covers of a chunk, so that every sample has chunks on both sides. A
    track that is too short to be mirrored has no border. Before the mirror a shifted pass has silence.
    """

    holes = True  # at an overlap of 0 the fades leave samples without weight, which MSST makes silent

    track: int = 0
    border: int = 0

    @property
    def ends(self) -> int:
        """See `Pass`."""
        return self.track

    def fill(self, reader: Reader, out: Sound, segment: Segment) -> None:
        """See `Pass`."""
        reader.pick(out, self.positions(segment))

    def positions(self, segment: Segment) -> NDArray[np.int64]:
        """Which sample of the track stands at each place of a chunk.

        The last chunk is filled up: from a mirror where the track fills more than half of it, else with silence.
        """
        at = np.arange(segment.begin, segment.begin + segment.padded)
        silent = at < -self.border
        beyond = at >= self.frames
        if segment.length > self.window // 2:
            at[beyond] = 2 * (self.frames - 1) - at[beyond]
        else:
            silent |= beyond
        at = np.abs(at)  # the mirror before the first sample
        after = at >= self.track
        at[after] = 2 * (self.track - 1) - at[after]
        at[silent] = SILENCE
        return at

    def weigher(self, device: torch.device) -> Weigher:
        """See `Pass`: fades of a tenth of a chunk, but none where the track begins or ends."""
        fade = self.window // FADE
        inner = torch.ones(self.window, device=device)
        if fade:
            inner[-fade:] = torch.linspace(1, 0, fade, device=device)
            inner[:fade] = torch.linspace(0, 1, fade, device=device)

        def weigh(segment: Segment) -> torch.Tensor:
            weight = inner
            if segment.start == self.start:
                weight = inner.clone()
                weight[:fade] = 1
            elif segment.start + self.stride >= self.frames:
                weight = inner.clone()
                weight[self.window - fade :] = 1
            return weight[: segment.length]

        return weigh


def plan_plain(
    networks: list[Any], members: list[int], frames: int, options: SeparationOptions, overlap: float
) -> list[Pass]:
    """Every pass through networks of Demucs' that MSST trained, as its `demix` cuts a track for them."""

    def made(index: int, network: Any, shift: int) -> Pass:
        window = int(network.samplerate * (network.segment if options.segment is None else options.segment))
        stride = _stride(window, overlap if options.overlap is None else options.overlap)
        return PlainPass(index, -shift, frames, window, stride, lambda length: window)

    return _passes(networks, members, options, made)


def plan_chunks(networks: list[Chunked], members: list[int], frames: int, options: SeparationOptions) -> list[Pass]:
    """Every pass that `frames` samples take through the networks `members`."""
    return _passes(
        networks, members, options, lambda index, network, shift: _pass(index, network, frames, options, shift)
    )


def _passes(
    networks: list[Any], members: list[int], options: SeparationOptions, made: Callable[[int, Any, int], Pass]
) -> list[Pass]:
    """The passes that `made` makes of (index, network, shift).

    With `shifts` each pass begins up to half a second earlier, in silence. MSST has no shifts of this kind.
    """
    draw = random.Random(options.seed)
    passes: list[Pass] = []
    for index, network in enumerate(networks):
        for _ in range(max(options.shifts, 1)):
            shift = draw.randint(0, int(SHIFT_SECONDS * network.samplerate)) if options.shifts else 0
            if index in members:
                passes.append(made(index, network, shift))
    return passes


def _pass(index: int, network: Chunked, frames: int, options: SeparationOptions, shift: int) -> Pass:
    window = network.chunk
    if options.segment is not None:
        window = network.network.longest_chunk(min(int(options.segment * network.samplerate), window))
    overlap = network.overlap if options.overlap is None else options.overlap
    if network.network.cut in CUTS:
        return CUTS[network.network.cut](index, network.network, frames, window, overlap, shift)
    stride = _stride(window, overlap)
    border = window - stride if frames > 2 * (window - stride) else 0
    return ChunkPass(
        index, -border - shift, frames + border, window, stride, lambda length: window, track=frames, border=border
    )


def _stride(window: int, overlap: float) -> int:
    """Samples from one chunk to the next: a whole part of the chunk where a sample gets a whole number of chunks."""
    chunks = 1 / (1 - overlap)
    if abs(chunks - round(chunks)) < 1e-6:
        return max(1, window // round(chunks))
    return max(1, int((1 - overlap) * window))
