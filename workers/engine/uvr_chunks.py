"""How Ultimate Vocal Remover's networks have a track cut, as audio-separator does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from workers.engine.mixture import Reader, Sound
from workers.engine.segments import Pass, Segment, Weigher


@dataclass(frozen=True)
class MDXPass(Pass):
    """One MDX-Net over a track of `track` samples, with silence before and behind it.

    Each chunk counts by a symmetric Hann window of its length, which is shorter for the last ones; all samples count
    alike where chunks do not overlap.
    """

    holes = True  # where an overlap is shorter than what the windows' ends leave out

    track: int = 0
    hann: bool = True

    @property
    def ends(self) -> int:
        """See `Pass`."""
        return self.track

    def segments(self) -> Iterator[Segment]:
        """The chunks in order."""
        for at in range(self.start, self.frames, self.stride):
            yield Segment(at, min(self.window, self.frames - at), at, self.window)

    def weigher(self, device: torch.device) -> Weigher:
        """See `Pass`."""
        windows: dict[int, torch.Tensor] = {}

        def weigh(segment: Segment) -> torch.Tensor:
            length = segment.length
            if length not in windows:
                made = torch.ones(length)
                if self.hann and length > 1:
                    made = torch.hann_window(length, periodic=False, dtype=torch.float64).float()
                windows[length] = made.to(device)
            return windows[length]

        return weigh


def mdx_pass(index: int, network: Any, frames: int, window: int, overlap: float, shift: int) -> MDXPass:
    """A pass of an MDX-Net whose `trim` samples at a chunk's ends are not used: so much silence stands at the ends."""
    trim = network.trim
    inner = window - 2 * trim
    if inner <= 0:
        inner = window
    behind = inner + trim - frames % inner
    stride = max(1, int((1 - overlap) * window))
    return MDXPass(
        index, -trim - shift, frames + behind, window, stride, lambda length: window, track=frames, hann=overlap != 0
    )


@dataclass(frozen=True)
class VRPass(Pass):
    """One network of the family VR over a track of `track` samples.

    A segment is a chunk and `tail` samples on each side, to which it also gives something: segments add up. Where
    chunks overlap, each counts by its share.
    """

    summed = True
    rows = 3

    track: int = 0
    share: float = 1.0
    margin: int = 0
    tail: int = 0

    @property
    def ends(self) -> int:
        """See `Pass`."""
        return self.track

    def segments(self) -> Iterator[Segment]:
        """The segments in order."""
        for at in range(self.start, self.frames, self.stride):
            begin = at + self.tail - self.margin
            yield Segment(at, self.window, begin, self.pad(self.window))

    def fill(self, reader: Reader, out: Sound, segment: Segment) -> None:
        """See `Pass`: the third row is 1 where a sample is one of the track's."""
        reader.fill(out[:2], segment.begin)
        out[2] = 0
        out[2, max(-segment.begin, 0) : max(self.track - segment.begin, 0)] = 1

    def weigher(self, device: torch.device) -> Weigher:
        """See `Pass`."""
        weight = torch.full((self.window,), self.share, device=device)
        return lambda segment: weight


def vr_pass(index: int, network: Any, frames: int, window: int, overlap: float, shift: int) -> VRPass:
    """A pass of a VR network, whose chunks begin on frames. Every sample gets the same number of chunks.

    Half as overlap is what Ultimate Vocal Remover calls test-time augmentation.
    """
    hop, tail, margin = network.hop, network.tail, network.margin
    count = window // hop
    chunks = max(each for each in range(1, max(1, round(1 / (1 - overlap) + 1e-6)) + 1) if count % each == 0)
    stride = window // chunks
    start = stride - window - shift // hop * hop - tail
    padded = window + 2 * margin
    return VRPass(
        index,
        start,
        frames + 1 - tail,  # a frame is centred right at the end of some tracks
        window + 2 * tail,
        stride,
        lambda length: padded,
        track=frames,
        share=1 / chunks,
        margin=margin,
        tail=tail,
    )


CUTS: Mapping[str, Callable[[int, Any, int, int, float, int], Pass]] = {"mdxnet": mdx_pass, "vr": vr_pass}
