"""One network of a bag, resident on its device: a batch of segments in, their stems out."""

from __future__ import annotations

from typing import Any, Protocol

import torch

from workers.engine.hybrid import HybridCore, Spectrum, can_take_apart, fill_up, full_length, prepared
from workers.engine.precision import Precision, arithmetic


class Pending(Protocol):
    """A batch on its way."""

    def result(self) -> torch.Tensor:
        """The stems [batch, stems, channels, length], on the network's device."""


class Network(Protocol):
    """What the separator asks of a network on any device."""

    device: torch.device
    depth: int  # batches that are worth having in flight at once

    def start(self, batch: torch.Tensor, stems: list[int]) -> Pending:
        """Begin the forward pass of [batch, channels, length]; only the stems of these indices come back.

        What came back from a batch may be overwritten once `depth` further ones have begun.
        """

    def rest(self) -> None:
        """Give back the memory that only a forward pass needs: a track is done, and the next may be long in coming."""


class Ready:
    """A batch that is done, or that the device finishes in its own time."""

    def __init__(self, stems: torch.Tensor) -> None:
        self._stems = stems

    def result(self) -> torch.Tensor:
        """The stems."""
        return self._stems


class TorchNetwork:
    """Runs in torch on any device; the reference for every other way."""

    depth = 1

    def __init__(self, network: Any, device: str, precision: Precision, compiled: bool = False) -> None:
        self.device = torch.device(device)
        self._network = network.to(self.device).eval()
        self._precision = precision
        self._compiled = compiled
        # MPS has gaps in its complex numbers that upstream's own forward works around
        self._apart = can_take_apart(network) and self.device.type in ("cpu", "cuda")
        self._spectrum = Spectrum(network, self.device) if self._apart else None
        self._full = full_length(network)
        self._cores: dict[int, Any] = {}

    def start(self, batch: torch.Tensor, stems: list[int]) -> Pending:
        """Queue the forward pass on the device."""
        with torch.inference_mode(), arithmetic(self._precision):
            wave = batch.to(self.device, non_blocking=True)
            if self._spectrum is None:
                return Ready(self._network(wave)[:, stems])
            wave = fill_up(wave, self._full)
            spectra, waves = self._core(wave.shape[-1])(*prepared(self._spectrum.forward(wave), wave))
            return Ready(self._spectrum.inverse(spectra, stems, wave.shape[-1]).add_(waves[:, stems]))

    def rest(self) -> None:
        """Torch keeps none on a CPU, and on CUDA what it keeps is soon asked for again."""

    def _core(self, length: int) -> Any:
        if length not in self._cores:
            if len(self._cores) > 1:  # tails of other tracks: their cached constants will not come again
                self._cores.clear()
            core: Any = HybridCore(self._network, length).eval()
            core.fp16_transformer = self.device.type == "cuda" and self._precision is not Precision.FP32
            self._cores[length] = torch.compile(core, mode="reduce-overhead") if self._compiled else core
        return self._cores[length]
