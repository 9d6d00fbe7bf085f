"""One network of a bag, loaded on its device: it takes a batch of segments and returns their stems."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch

from workers.engine.bag import Chunked
from workers.engine.hybrid import HybridCore, Spectrum, can_take_apart, fill_up, full_length, prepared
from workers.engine.precision import Precision, arithmetic

POLL_SECONDS = 0.5


class Pending(Protocol):
    """A batch that a network is computing."""

    def result(self) -> torch.Tensor:
        """The stems [batch, stems, channels, length], on the network's device."""


class Network(Protocol):
    """What the separator needs of a network, on any device."""

    device: torch.device
    depth: int  # batches in flight that keep the device busy
    precision: Precision  # that it computes in, which may be more exact than what was asked for

    def start(self, batch: torch.Tensor, stems: list[int]) -> Pending:
        """Begin the forward pass of [batch, channels, length]; the result has only the stems with these indices.

        The result of a batch may be overwritten once `depth` further batches have begun.
        """

    def rest(self) -> None:
        """Free the memory that only a forward pass needs: a track is done, and the next one may come much later."""


@runtime_checkable
class Watched(Protocol):
    """A network whose forward pass can be ended within a batch."""

    def watch(self, poll: Callable[[], None] | None) -> None:
        """Call `poll` from time to time during the next passes; what it raises ends the pass."""


class Ready:
    """A batch whose stems are computed, or that the device has been given to compute."""

    def __init__(self, stems: torch.Tensor) -> None:
        self._stems = stems

    def result(self) -> torch.Tensor:
        """The stems."""
        return self._stems


class TorchNetwork:
    """Runs a network in torch, on any device. Other implementations must agree with this one."""

    depth = 1

    def __init__(self, network: Any, device: str, precision: Precision, compiled: bool = False) -> None:
        self.device = torch.device(device)
        self._network = network.to(self.device).eval()
        self.precision = precision if self.device.type == "cuda" else Precision.FP32
        self._precision = precision
        self._compiled = compiled
        # torch on MPS lacks operations on complex numbers; upstream's own forward works around that
        self._apart = can_take_apart(network) and self.device.type in ("cpu", "cuda")
        self._spectrum = Spectrum(network, self.device) if self._apart else None
        self._full = full_length(network)
        self._cores: dict[int, Any] = {}

    def start(self, batch: torch.Tensor, stems: list[int]) -> Pending:
        """Start the forward pass; on CUDA this returns before the device is done."""
        with torch.inference_mode(), arithmetic(self._precision):
            wave = batch.to(self.device, non_blocking=True)
            if self._spectrum is None:
                return Ready(self._network(wave)[:, stems])
            wave = fill_up(wave, self._full)
            spectra, waves = self._core(wave.shape[-1])(*prepared(self._spectrum.forward(wave), wave))
            return Ready(self._spectrum.inverse(spectra, stems, wave.shape[-1]).add_(waves[:, stems]))

    def rest(self) -> None:
        """Do nothing: on a CPU torch keeps no such memory, and on CUDA it soon needs what it keeps."""

    def _core(self, length: int) -> Any:
        if length not in self._cores:
            if len(self._cores) > 1:  # for tails of other tracks: their lengths will hardly come again
                self._cores.clear()
            core: Any = HybridCore(self._network, length).eval()
            core.fp16_transformer = self.device.type == "cuda" and self._precision is not Precision.FP32
            self._cores[length] = torch.compile(core, mode="reduce-overhead") if self._compiled else core
        return self._cores[length]


class ChunkRunner:
    """Runs a network of the other families in torch, on any device."""

    depth = 1

    def __init__(self, chunked: Chunked, device: str, precision: Precision, threads: int = 0) -> None:
        self.device = torch.device(device)
        self._network = chunked.network.to(self.device).eval()
        self._network.half_layers = self.device.type == "cuda" and precision is not Precision.FP32
        self._network.ready(self.device, threads, fast=precision is Precision.FAST)
        self.precision = self._network.computes_in(self.device, precision)
        self._precision = precision
        self._poll: Callable[[], None] | None = None
        self._polled = 0.0

    def start(self, batch: torch.Tensor, stems: list[int]) -> Pending:
        """Start the forward pass; on CUDA this returns before the device is done."""
        with torch.inference_mode(), arithmetic(self._precision):
            wave = batch.to(self.device, non_blocking=True)
            return Ready(self._network.separate(wave, stems, self._now_and_then))

    def rest(self) -> None:
        """See `Network`."""
        self._network.rest()

    def watch(self, poll: Callable[[], None] | None) -> None:
        """See `Watched`."""
        self._poll = poll
        self._polled = time.monotonic()

    def _now_and_then(self) -> None:
        if self._poll is not None and time.monotonic() - self._polled >= POLL_SECONDS:
            self._polled = time.monotonic()
            self._poll()
