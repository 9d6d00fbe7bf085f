"""Separates one mixture of any length by a bag of networks, in memory that does not grow with the length."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from stemsvc.errors import WeightsMismatch
from stemsvc.kinds.separate.options import SeparationOptions
from workers.engine.bag import Bag, Plain
from workers.engine.batches import BatchSize
from workers.engine.blend import Blend
from workers.engine.chunks import plan_chunks, plan_plain
from workers.engine.converting import OnConvert, share, unseen
from workers.engine.in_flight import InFlight, OnSegment
from workers.engine.mixture import ArrayMixture, Mixture, Reader, Sound, loudness, population
from workers.engine.networks import Network
from workers.engine.precision import Precision, resolve
from workers.engine.prepare import prepare
from workers.engine.segments import Pass, plan
from workers.engine.to_host import ToHost

if TYPE_CHECKING:
    from demucs.apply import BagOfModels


class Separator:
    """A bag of networks on one device, loaded once and used for many tracks, one at a time.

    A network is put on the device when a track first needs it: for one stem `htdemucs_ft` runs one of its
    four networks.
    """

    def __init__(
        self,
        bag: BagOfModels | Bag,
        device: str = "cpu",
        precision: str = "auto",
        *,
        threads: int = 0,
        cache: Path | None = None,
        compiled: bool = False,
    ) -> None:
        self.sources: list[str] = list(bag.sources)
        self.rest: str | None = getattr(bag, "rest", None)  # the stem that no network predicts
        self._plain: Plain | None = getattr(bag, "plain", None)
        self._predicted = [stem for stem in self.sources if stem != self.rest]
        self.sample_rate: int = bag.samplerate
        self.precision = resolve(precision, device)
        self._bag: Any = bag  # torch does not type the attributes of modules
        self.device = self._device = device
        self._threads, self._cache, self._compiled = threads, cache, compiled
        self._networks: dict[int, Network] = {}
        self._batch = BatchSize(device)

    def separate(
        self,
        mixture: Mixture,
        stems: tuple[str, ...],
        options: SeparationOptions | None = None,
        on_segment: OnSegment | None = None,
    ) -> Generator[dict[str, Sound]]:
        """Yield consecutive pieces {stem: [n, 2]} of the stems, from the first sample to the last.

        Does what upstream's `Separator` does: normalises by the whole mono mix, cuts into overlapping segments and
        scales back. Raises `UsageError` `bad_options`, `FatalError` `separation_not_finite` for NaN or infinite
        output, `TransientError` `device_out_of_memory` if not even one segment fits.
        """
        if self.rest in stems:
            yield from self._with_rest(mixture, stems, options, on_segment)
            return
        options = options or SeparationOptions()
        members = self._members(stems)
        options.check(min(float(self._bag.models[member].segment) for member in members))
        rows = [self._predicted.index(stem) for stem in stems]
        passes = self._plan(members, mixture.frames, options)
        weights = [[member[row] for row in rows] for member in self._bag.weights]
        blend = Blend(passes, weights, [sum(member[row] for member in self._bag.weights) for row in rows])
        mean, scale = self._normalisation(mixture)
        flights = InFlight(
            self.network, self._batch, passes, Reader(mixture.read, mixture.frames, mean, scale), rows, on_segment
        )
        leaving = ToHost(torch.device(self._device), stems)
        for index, samples in flights.run():
            blend.put(index, samples)
            while (block := blend.take()) is not None:
                yield from leaving.send(block.mul_(scale).add_(mean), self._batch.largest)
        yield from leaving.rest()

    @property
    def segment(self) -> float:
        """Seconds of the longest segment."""
        return max(float(network.segment) for network in self._bag.models)

    def separate_array(
        self, samples: Sound, stems: tuple[str, ...] = (), options: SeparationOptions | None = None
    ) -> dict[str, Sound]:
        """Separate samples [frames, 2] in memory; returns {stem: [frames, 2]}, all stems if none is named."""
        wanted = stems or tuple(self.sources)
        pieces = list(self.separate(ArrayMixture(samples), wanted, options))
        nothing = np.zeros((0, 2), np.float32)
        return {stem: np.concatenate([nothing, *(piece[stem] for piece in pieces)]) for stem in wanted}

    def count_segments(self, frames: int, stems: tuple[str, ...], options: SeparationOptions | None = None) -> int:
        """Forward passes that a track of `frames` samples takes."""
        return sum(run.count for run in self._plan(self._members(stems), frames, options or SeparationOptions()))

    def load(self, stems: tuple[str, ...], on_convert: OnConvert = unseen) -> None:
        """Put every network that `stems` need on the device. On a CPU a network is converted the first time.

        `on_convert` hears of that; what it raises passes.
        """
        members = self._members(stems)
        for index, member in enumerate(members):
            self.network(member, share(on_convert, index, len(members)))

    def runs_fast(self, stems: tuple[str, ...]) -> bool:
        """Whether every network that `stems` need computes in the precision `fast`, once it is loaded."""
        return all(self.network(member).precision is Precision.FAST for member in self._members(stems))

    def network(self, member: int, on_convert: OnConvert = unseen) -> Network:
        """The member's network on the device."""
        if member not in self._networks:
            network, how = self._bag.models[member], (self._threads, self._cache, self._compiled)
            self._networks[member] = prepare(network, self._device, self.precision, *how, on_convert)
        return self._networks[member]

    def _plan(self, members: list[int], frames: int, options: SeparationOptions) -> list[Pass]:
        networks = list(self._bag.models)
        if self._plain is not None:
            return plan_plain(networks, members, frames, options, self._plain.overlap)
        return (plan_chunks if isinstance(self._bag, Bag) else plan)(networks, members, frames, options)

    def _normalisation(self, mixture: Mixture) -> tuple[float, float]:
        """What is taken from each sample, and what it is then divided by: nothing and 1 for most of the families."""
        if self._plain is not None:
            mean, scale = population(mixture) if self._plain.normalized else (0.0, 1.0)
        elif not isinstance(self._bag, Bag):
            mean, scale = loudness(mixture)
        elif self._bag.models[0].normalized:
            mean, scale = population(mixture)
        else:
            mean, scale = self._bag.models[0].network.level(mixture)
        return float(np.float32(mean)), float(np.float32(scale))

    def _with_rest(
        self,
        mixture: Mixture,
        stems: tuple[str, ...],
        options: SeparationOptions | None,
        on_segment: OnSegment | None,
    ) -> Generator[dict[str, Sound]]:
        """Separate every predicted stem: the one that is not predicted is the mixture less all of them."""
        at = 0
        for piece in self.separate(mixture, tuple(self._predicted), options, on_segment):
            count = len(next(iter(piece.values())))
            left = mixture.read(at, at + count)
            for samples in piece.values():
                left = left - samples
            at += count
            yield {stem: left if stem == self.rest else piece[stem] for stem in stems}

    def _members(self, stems: tuple[str, ...]) -> list[int]:
        if self.rest in stems:
            stems = tuple(self._predicted)
        rows = [self._predicted.index(stem) for stem in stems]
        for stem, row in zip(stems, rows, strict=True):
            if not any(weights[row] for weights in self._bag.weights):
                raise WeightsMismatch(f"no network of the bag has any weight for {stem}")
        return [index for index, weights in enumerate(self._bag.weights) if any(weights[row] for row in rows)]
