"""What the engine needs of a network of these families."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import nn

from workers.engine.mixture import Mixture
from workers.engine.precision import Precision

# Called between the layers of a forward pass. What it raises ends the pass: a chunk may take minutes on a CPU.
Poll = Callable[[], None]


def no_poll() -> None:
    """Do nothing between the layers."""


class ChunkNetwork(nn.Module):
    """A network that takes chunks of nearly any length and predicts `stems` stems."""

    cut: ClassVar[str] = "msst"  # whose way to cut a track: see `workers.engine.chunks`
    stems: int
    half_layers = False  # whether linears and attention may run in fp16; spectra, norms and masks never do

    def separate(self, wave: torch.Tensor, stems: Sequence[int], poll: Poll = no_poll) -> torch.Tensor:
        """[batch, 2, length] -> the stems with these indices, [batch, stems, 2, length]."""
        raise NotImplementedError

    def level(self, mixture: Mixture) -> tuple[float, float]:
        """What is taken from each sample of a track, and what it is then divided by; stems get both back."""
        return 0.0, 1.0

    def input_shape(self, chunk: int) -> tuple[int, int]:
        """Channels and samples of what the network takes for a chunk."""
        return 2, chunk

    def ready(self, device: torch.device, threads: int, *, fast: bool) -> None:
        """Prepare for passes on the device, with so many threads on a CPU (0: all); `fast` may cost fidelity."""

    def computes_in(self, device: torch.device, precision: Precision) -> Precision:
        """The precision of a pass, where that one is asked for: torch has only the full one on a CPU."""
        return precision if device.type == "cuda" else Precision.FP32

    @property
    def prepared_bytes(self) -> int:
        """What `ready` and the first pass take beside the weights and a pass in torch."""
        return 0

    def rest(self) -> None:
        """Free the memory that only a forward pass needs."""

    def longest_chunk(self, samples: int) -> int:
        """The longest chunk that the network takes and that has at most so many samples."""
        return samples

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        """Every stem, [batch, stems, 2, length]."""
        return self.separate(wave, range(self.stems))
