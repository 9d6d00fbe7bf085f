"""Adds overlapping segments up as they come, bitwise as if the whole track were in memory."""

from __future__ import annotations

import torch

from workers.engine.segments import Pass, Segment, Weigher, triangle

__all__ = ["OverlapAdd", "triangle"]


class OverlapAdd:
    """Sums one pass's segments and returns the samples that no later segment changes.

    It holds one segment's tail, whatever the track's length. The additions happen in upstream's order, so the
    result is bitwise that of adding every segment into a buffer of the whole track.
    """

    def __init__(self, run: Pass, weigh: Weigher) -> None:
        self._pass = run
        self._weigh = weigh  # on the device of the segments
        self._held = 0  # samples of the buffers below that are in use
        self._sum = torch.empty(0)  # [stems, channels, window] from the next sample to return on
        self._weights = torch.empty(0)  # [window]
        self._product = torch.empty(0)

    def add(self, segment: Segment, stems: torch.Tensor) -> torch.Tensor:
        """Add one segment's [stems, channels, length]; returns the finished samples [stems, channels, n]."""
        if not self._held:
            shape = (*stems.shape[:-1], self._pass.window)
            self._sum, self._product = stems.new_empty(shape), stems.new_empty(shape)
            self._weights = stems.new_empty(self._pass.window)
        length, both = segment.length, min(segment.length, self._held)
        weight = self._weigh(segment)
        product = torch.mul(stems, weight, out=self._product[..., :length])
        for total, new in ((self._sum, product), (self._weights, weight)):
            total[..., :both] += new[..., :both]
            total[..., both:length] = new[..., both:]
        self._held = max(self._held, length)
        last = segment.start + self._pass.stride >= self._pass.frames
        ready = self._held if last else min(self._pass.stride, self._held)
        if self._pass.summed:
            finished = self._sum[..., :ready].clone()
        else:
            finished = torch.div(self._sum[..., :ready], self._weights[:ready])
        if self._pass.holes:
            finished.masked_fill_(self._weights[:ready] == 0, 0)
        for total in (self._sum, self._weights):
            total[..., : self._held - ready] = total[..., ready : self._held].clone()
        self._held -= ready
        return finished
