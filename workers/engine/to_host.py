"""Copies finished samples from the device to the host."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import torch

from stemsvc.errors import SeparationNotFinite
from workers.engine.mixture import Sound


class ToHost:
    """Copies finished samples to the host, a batch behind: the host works on one while the device computes the next."""

    def __init__(self, device: torch.device, stems: tuple[str, ...]) -> None:
        self._cuda = device.type == "cuda"
        self._stems = stems
        self._waiting: deque[tuple[torch.Tensor, torch.Tensor, torch.cuda.Event | None]] = deque()

    def send(self, block: torch.Tensor, behind: int) -> Iterator[dict[str, Sound]]:
        """Begin to copy a block [stems, channels, n]; yields the one `behind` blocks before it, on a CPU itself."""
        finite = torch.isfinite(block.sum(dtype=torch.float64))  # no sum of float32 overflows float64
        event = None
        if self._cuda:
            block, finite = (self._copy(tensor) for tensor in (block, finite))
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record()
        self._waiting.append((block, finite, event))
        while len(self._waiting) > (behind if self._cuda else 0):
            yield self._arrived()

    def rest(self) -> Iterator[dict[str, Sound]]:
        """Yield the blocks that were not yielded yet."""
        while self._waiting:
            yield self._arrived()

    @staticmethod
    def _copy(tensor: torch.Tensor) -> torch.Tensor:
        pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        return pinned.copy_(tensor, non_blocking=True)

    def _arrived(self) -> dict[str, Sound]:
        block, finite, event = self._waiting.popleft()
        if event is not None:
            event.synchronize()
        if not bool(finite):
            raise SeparationNotFinite("the network returned samples that are not numbers")
        return {stem: samples.numpy().T for stem, samples in zip(self._stems, block, strict=True)}
