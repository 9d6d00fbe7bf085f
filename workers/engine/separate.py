"""Separation of one mixture of any length by a bag of networks, in memory that does not grow with it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from stemsvc.errors import FatalError, TransientError
from stemsvc.separation import SeparationOptions
from workers.engine.blend import Blend
from workers.engine.networks import Network, Pending, prepare
from workers.engine.precision import resolve
from workers.engine.segments import OverlapAdd, Pass, Reader, Segment, plan, triangle

if TYPE_CHECKING:
    from demucs.apply import BagOfModels

Sound = NDArray[np.float32]
# Called after each finished segment with (finished, all). What it raises ends the separation.
OnSegment = Callable[[int, int], None]
CHUNK = 1 << 16  # samples
MAX_BATCH = 16  # a batch of 8 fills an H100 or H200 with work; more only delays progress and cancel
MEMORY_SHARE = 0.8  # of the device's free memory


class Mixture(Protocol):
    """A stereo track at the model's rate that is read piece by piece, more than once."""

    @property
    def frames(self) -> int:
        """Samples per channel."""

    def read(self, start: int, stop: int) -> Sound:
        """The samples [stop - start, 2]."""


@dataclass(frozen=True)
class ArrayMixture:
    """A mixture in memory, [frames, 2]."""

    samples: Sound

    @property
    def frames(self) -> int:
        """Samples per channel."""
        return len(self.samples)

    def read(self, start: int, stop: int) -> Sound:
        """The samples from `start` to `stop`."""
        return self.samples[start:stop]


def loudness(mixture: Mixture) -> tuple[float, float]:
    """Mean and standard deviation of the mono mix, as upstream's `Separator` normalises by them (deviation + 1e-8)."""
    total, squares, centre = 0.0, 0.0, 0.0
    for start in range(0, mixture.frames, CHUNK):
        chunk = mixture.read(start, min(start + CHUNK, mixture.frames))
        mono = chunk.sum(axis=1, dtype=np.float32) * np.float32(0.5)
        if start == 0:
            centre = float(mono.mean())  # so that a large offset costs the squares no digits
        mono -= np.float32(centre)
        total += float(mono.sum())
        squares += float(np.dot(mono, mono))
    if mixture.frames < 2:
        return centre, 1e-8  # one sample has no deviation
    variance = (squares - total * total / mixture.frames) / (mixture.frames - 1)
    return centre + total / mixture.frames, math.sqrt(max(variance, 0.0)) + 1e-8


class Separator:
    """A bag of networks on one device, loaded once and used for many tracks, one at a time.

    A network is put on the device when a track first needs it: `htdemucs_ft` asked for one stem runs one of four.
    """

    def __init__(
        self, bag: BagOfModels, device: str = "cpu", precision: str = "auto", *,
        threads: int = 0, cache: Path | None = None, compiled: bool = False,
    ) -> None:  # fmt: skip
        self.sources: list[str] = list(bag.sources)
        self.sample_rate: int = bag.samplerate
        self.precision = resolve(precision, device)
        self._bag: Any = bag  # torch says of no module's attribute what it is
        self._device = device
        self._threads, self._cache, self._compiled = threads, cache, compiled
        self._networks: dict[int, Network] = {}
        self._batch = _BatchSize(device)

    def separate(
        self, mixture: Mixture, stems: tuple[str, ...], options: SeparationOptions | None = None,
        on_segment: OnSegment | None = None,
    ) -> Generator[dict[str, Sound]]:  # fmt: skip
        """Yield consecutive pieces {stem: [n, 2]} of the stems, from the first sample to the last.

        As upstream's `Separator` does: normalised by the whole mono mix, cut into overlapping segments, scaled back.
        Raises `UsageError` `bad_options`, `FatalError` `separation_not_finite` for NaN or infinite output,
        `TransientError` `device_out_of_memory` where not even one segment fits.
        """
        options = options or SeparationOptions()
        members = self._members(stems)
        options.check(min(float(self._bag.models[member].segment) for member in members))
        rows = [self.sources.index(stem) for stem in stems]
        passes = plan(list(self._bag.models), members, mixture.frames, options)
        weights = [[member[row] for row in rows] for member in self._bag.weights]
        blend = Blend(passes, weights, [sum(member[row] for member in self._bag.weights) for row in rows])
        mean, scale = (float(np.float32(value)) for value in loudness(mixture))
        track = _Track(self, passes, Reader(mixture.read, mixture.frames, mean, scale), rows, on_segment)
        leaving = _Leaving(torch.device(self._device), stems)
        for index, samples in track.run():
            blend.put(index, samples)
            while (block := blend.take()) is not None:
                yield from leaving.send(block.mul_(scale).add_(mean), self._batch.largest)
        yield from leaving.rest()

    def separate_array(
        self, samples: Sound, stems: tuple[str, ...] = (), options: SeparationOptions | None = None
    ) -> dict[str, Sound]:
        """Separate [frames, 2] that are in memory: {stem: [frames, 2]}, all stems where none is named."""
        wanted = stems or tuple(self.sources)
        pieces = list(self.separate(ArrayMixture(samples), wanted, options))
        nothing = np.zeros((0, 2), np.float32)
        return {stem: np.concatenate([nothing, *(piece[stem] for piece in pieces)]) for stem in wanted}

    def count_segments(self, frames: int, stems: tuple[str, ...], options: SeparationOptions | None = None) -> int:
        """Forward passes that a track of `frames` samples takes."""
        return sum(
            run.count
            for run in plan(list(self._bag.models), self._members(stems), frames, options or SeparationOptions())
        )

    def load(self, stems: tuple[str, ...]) -> None:
        """Put every network that `stems` need on the device; the first time on a CPU it is converted."""
        for member in self._members(stems):
            self.network(member)

    def network(self, member: int) -> Network:
        """The member's network on the device."""
        if member not in self._networks:
            self._networks[member] = prepare(
                self._bag.models[member], self._device, self.precision, self._threads, self._cache, self._compiled
            )
        return self._networks[member]

    def _members(self, stems: tuple[str, ...]) -> list[int]:
        rows = [self.sources.index(stem) for stem in stems]
        for stem, row in zip(stems, rows, strict=True):
            if not any(weights[row] for weights in self._bag.weights):
                raise FatalError("weights_mismatch", f"no network of the bag has any weight for {stem}")
        return [index for index, weights in enumerate(self._bag.weights) if any(weights[row] for row in rows)]


@dataclass
class _Flight:
    """A batch that a network works at."""

    index: int  # of the pass
    segments: list[Segment]
    batch: torch.Tensor
    pending: Pending | None  # None: it did not fit


class _Track:
    """One track's way through its passes: batches go out in order of time, stems come back in that order."""

    def __init__(
        self, separator: Separator, passes: list[Pass], reader: Reader, rows: list[int], on_segment: OnSegment | None
    ) -> None:
        self._separator = separator
        self._passes = passes
        self._reader = reader
        self._rows = rows
        self._on_segment = on_segment
        self._left = [deque(run.segments()) for run in passes]
        self._sums: list[OverlapAdd | None] = [None for _ in passes]
        self._windows: dict[int, torch.Tensor] = {}
        self._done, self._total = 0, sum(run.count for run in passes)

    def run(self) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield (pass, finished samples [stems, channels, n])."""
        flights: deque[_Flight] = deque()
        try:
            while any(self._left) or flights:
                while any(self._left) and len(flights) < self._depth():
                    flights.append(self._launch())
                flight = flights.popleft()
                for segment, stems in zip(flight.segments, self._land(flight), strict=True):
                    yield flight.index, self._add(flight.index, segment, stems)
                    self._done += 1
                    if self._on_segment is not None:
                        self._on_segment(self._done, self._total)
        finally:
            for flight in flights:  # the device is free when this returns
                _settle(flight.pending)
            for member in {run.member for run in self._passes}:
                self._separator.network(member).rest()

    def _depth(self) -> int:
        return self._separator.network(self._passes[self._next_pass()].member).depth

    def _next_pass(self) -> int:
        """The pass that is furthest behind."""
        return min((i for i, left in enumerate(self._left) if left), key=lambda i: self._left[i][0].start)

    def _launch(self) -> _Flight:
        index = self._next_pass()
        left = self._left[index]
        segments: list[Segment] = []
        size = self._separator._batch.size(self._passes[index].member)
        while left and len(segments) < size and left[0].padded == (segments or left)[0].padded:
            segments.append(left.popleft())
        network = self._separator.network(self._passes[index].member)
        batch = torch.empty(len(segments), 2, segments[0].padded, pin_memory=network.device.type == "cuda")
        for row, segment in zip(batch.numpy(), segments, strict=True):
            self._reader.fill(row, segment.begin)
        return _Flight(index, segments, batch, self._start(network, index, batch))

    def _start(self, network: Network, index: int, batch: torch.Tensor) -> Pending | None:
        try:
            with self._separator._batch.measured(self._passes[index].member, len(batch)):
                return network.start(batch, self._rows)
        except Exception as error:
            if not _is_out_of_memory(error):
                raise
            return None

    def _land(self, flight: _Flight) -> list[torch.Tensor]:
        """The stems of each segment; a batch that did not fit is run again in halves."""
        try:
            if flight.pending is not None:
                return list(flight.pending.result())
        except Exception as error:
            if not _is_out_of_memory(error):
                raise
        flight.pending = None
        if len(flight.segments) == 1:
            raise TransientError("device_out_of_memory", "the device has no memory for a single segment")
        half = len(flight.segments) // 2
        member = self._passes[flight.index].member
        self._separator._batch.shrink(member, half)
        network = self._separator.network(member)
        stems: list[torch.Tensor] = []
        for part in (slice(half), slice(half, None)):
            batch = flight.batch[part]
            pending = self._start(network, flight.index, batch)
            stems += self._land(_Flight(flight.index, flight.segments[part], batch, pending))
        return stems

    def _add(self, index: int, segment: Segment, stems: torch.Tensor) -> torch.Tensor:
        run = self._passes[index]
        total = self._sums[index]
        if total is None:
            if run.window not in self._windows:
                self._windows[run.window] = triangle(run.window).to(stems.device)
            total = self._sums[index] = OverlapAdd(run, self._windows[run.window])
        return total.add(segment, stems[..., segment.trim : segment.trim + segment.length])


@dataclass
class _BatchSize:
    """How many segments of a network fit the device, learnt from its first batch and from running out."""

    device: str
    _sizes: dict[int, int] = field(default_factory=dict)

    def size(self, member: int) -> int:
        """Segments for the next batch. A CPU gains nothing from more than one."""
        return self._sizes.get(member, 1)

    @property
    def largest(self) -> int:
        """The most segments that a batch holds."""
        return max(self._sizes.values(), default=1)

    def shrink(self, member: int, size: int) -> None:
        """A batch of more than `size` did not fit."""
        self._sizes[member] = max(1, min(size, self.size(member)))
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()

    def measured(self, member: int, batch: int) -> _Measured:
        """Watch the memory that the first batch takes."""
        return _Measured(self, member, batch)


class _Measured:
    """Learns from a network's first batch on CUDA how many segments the free memory holds."""

    def __init__(self, sizes: _BatchSize, member: int, batch: int) -> None:
        self._sizes, self._member, self._batch = sizes, member, batch
        self._watch = sizes.device.startswith("cuda") and member not in sizes._sizes

    def __enter__(self) -> None:
        if self._watch:
            torch.cuda.synchronize(self._sizes.device)
            torch.cuda.reset_peak_memory_stats(self._sizes.device)
            self._before = torch.cuda.memory_allocated(self._sizes.device)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._watch and kind is None:
            device = self._sizes.device
            torch.cuda.synchronize(device)
            used = (torch.cuda.max_memory_allocated(device) - self._before) / self._batch
            cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
            free = (torch.cuda.mem_get_info(device)[0] + cached) * MEMORY_SHARE
            self._sizes._sizes[self._member] = max(1, min(MAX_BATCH, int(free / max(used, 1.0))))


class _Leaving:
    """Takes finished samples off the device, a batch behind: the host hands out one while the device is at the next."""

    def __init__(self, device: torch.device, stems: tuple[str, ...]) -> None:
        self._cuda = device.type == "cuda"
        self._stems = stems
        self._waiting: deque[tuple[torch.Tensor, torch.Tensor, torch.cuda.Event | None]] = deque()

    def send(self, block: torch.Tensor, behind: int) -> Iterator[dict[str, Sound]]:
        """Begin to copy [stems, channels, n]; yields the block that many before it, on a CPU the block itself."""
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
        """Yield what is still on its way."""
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
            raise FatalError("separation_not_finite", "the network returned samples that are no numbers")
        return {stem: samples.numpy().T for stem, samples in zip(self._stems, block, strict=True)}


def _settle(pending: Pending | None) -> None:
    """Wait for a batch that nobody wants any more."""
    try:
        if pending is not None:
            pending.result()
    except Exception:
        pass


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )
