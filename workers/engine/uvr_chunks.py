"""How Ultimate Vocal Remover's networks have a track cut, as audio-separator does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

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


CUTS: Mapping[str, Callable[[int, Any, int, int, float, int], Pass]] = {"mdxnet": mdx_pass}
