"""Joins the passes of a bag: it averages shifts and weights members, both as upstream does."""

from __future__ import annotations

from collections import deque

import torch

from workers.engine.segments import Pass


class Blend:
    """Takes each pass's finished samples and returns those that every pass has reached.

    The passes advance side by side, so that only a few strides of samples wait here, whatever the track's length.
    """

    def __init__(self, passes: list[Pass], weights: list[list[float]], totals: list[float]) -> None:
        """`weights[network][stem]` are the bag's, for the wanted stems; `totals[stem]` are their sums over the bag."""
        self._passes = passes
        self._weights = weights
        self._totals = totals
        self._position = [run.start for run in passes]
        self._waiting: list[deque[torch.Tensor]] = [deque() for _ in passes]
        self._ready = [0] * len(passes)

    def put(self, index: int, samples: torch.Tensor) -> None:
        """Add the next finished samples [stems, channels, n] of the pass at `index`; drop those outside the track."""
        beyond = max(self._position[index] + samples.shape[-1] - self._passes[index].ends, 0)
        samples = samples[..., : max(samples.shape[-1] - beyond, 0)]
        before = min(max(-self._position[index], 0), samples.shape[-1])
        self._position[index] += samples.shape[-1]
        if samples.shape[-1] > before:
            self._waiting[index].append(samples[..., before:])
            self._ready[index] += samples.shape[-1] - before

    def take(self) -> torch.Tensor | None:
        """The next samples [stems, channels, n] that are complete, or None."""
        size = min(self._ready)
        if size == 0:
            return None
        mixed: torch.Tensor | None = None
        for member in dict.fromkeys(run.member for run in self._passes):
            out = self._mean_of_shifts(member, size)
            for stem, weight in enumerate(self._weights[member]):
                if weight != 1:
                    out[stem] *= weight
            mixed = out if mixed is None else mixed + out
        assert mixed is not None
        for stem, total in enumerate(self._totals):
            if total != 1:
                mixed[stem] /= total
        return mixed

    def _mean_of_shifts(self, member: int, size: int) -> torch.Tensor:
        indices = [index for index, run in enumerate(self._passes) if run.member == member]
        out = self._next(indices[0], size)
        for index in indices[1:]:
            out = out + self._next(index, size)
        return out if len(indices) == 1 else out / len(indices)

    def _next(self, index: int, size: int) -> torch.Tensor:
        """Take the first `size` samples that wait of one pass."""
        self._ready[index] -= size
        waiting, parts = self._waiting[index], []
        while size:
            head = waiting.popleft()
            if head.shape[-1] > size:
                waiting.appendleft(head[..., size:])
                head = head[..., :size]
            parts.append(head)
            size -= head.shape[-1]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
