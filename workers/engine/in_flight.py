"""The batches of one track that the networks of a bag are computing."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from stemsvc.errors import DeviceOutOfMemory
from workers.engine.batches import BatchSize, is_out_of_memory
from workers.engine.mixture import Reader
from workers.engine.networks import Network, Pending, Watched
from workers.engine.overlap_add import OverlapAdd
from workers.engine.segments import Pass, Segment

# Called after each finished segment with (finished, all), and where a network can be watched also within a segment.
# What it raises ends the separation.
OnSegment = Callable[[int, int], None]


@dataclass
class _Flight:
    """A batch that a network is computing."""

    index: int  # of the pass
    segments: list[Segment]
    batch: torch.Tensor
    pending: Pending | None  # None: the batch did not fit into memory


class InFlight:
    """Runs one track's passes. It starts batches in order of time, and stems come back in that order."""

    def __init__(
        self,
        network: Callable[[int], Network],
        batch: BatchSize,
        passes: list[Pass],
        reader: Reader,
        rows: list[int],
        on_segment: OnSegment | None,
    ) -> None:
        self._network = network  # of a member of the bag
        self._batch = batch
        self._passes = passes
        self._reader = reader
        self._rows = rows
        self._on_segment = on_segment
        self._left = [deque(run.segments()) for run in passes]
        self._sums: list[OverlapAdd | None] = [None for _ in passes]
        self._done, self._total = 0, sum(run.count for run in passes)

    def run(self) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield (index of the pass, its next finished samples [stems, channels, n])."""
        flights: deque[_Flight] = deque()
        self._watch(self._poll)
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
            for flight in flights:  # when this returns, the device is free
                _settle(flight.pending)
            for member in {run.member for run in self._passes}:
                self._network(member).rest()
            self._watch(None)

    def _poll(self) -> None:
        """Let the caller end the separation also within a segment."""
        if self._on_segment is not None:
            self._on_segment(self._done, self._total)

    def _watch(self, poll: Callable[[], None] | None) -> None:
        for member in {run.member for run in self._passes}:
            network = self._network(member)
            if isinstance(network, Watched):
                network.watch(poll)

    def _depth(self) -> int:
        return self._network(self._passes[self._next_pass()].member).depth

    def _next_pass(self) -> int:
        """Index of the pass that is furthest behind."""
        return min((i for i, left in enumerate(self._left) if left), key=lambda i: self._left[i][0].start)

    def _launch(self) -> _Flight:
        index = self._next_pass()
        left = self._left[index]
        segments: list[Segment] = []
        size = self._batch.size(self._passes[index].member)
        while left and len(segments) < size and left[0].padded == (segments or left)[0].padded:
            segments.append(left.popleft())
        network = self._network(self._passes[index].member)
        rows, pinned = self._passes[index].rows, network.device.type == "cuda"
        batch = torch.empty(len(segments), rows, segments[0].padded, pin_memory=pinned)
        for row, segment in zip(batch.numpy(), segments, strict=True):
            self._passes[index].fill(self._reader, row, segment)
        return _Flight(index, segments, batch, self._start(network, index, batch))

    def _start(self, network: Network, index: int, batch: torch.Tensor) -> Pending | None:
        try:
            with self._batch.measured(self._passes[index].member, len(batch)):
                return network.start(batch, self._rows)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return None

    def _land(self, flight: _Flight) -> list[torch.Tensor]:
        """The stems of each segment; a batch that did not fit is run again in halves."""
        try:
            if flight.pending is not None:
                return list(flight.pending.result())
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        flight.pending = None
        if len(flight.segments) == 1:
            raise DeviceOutOfMemory("the device has no memory for a single segment")
        half = len(flight.segments) // 2
        member = self._passes[flight.index].member
        self._batch.shrink(member, half)
        network = self._network(member)
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
            total = self._sums[index] = OverlapAdd(run, run.weigher(stems.device))
        return total.add(segment, stems[..., segment.trim : segment.trim + segment.length])


def _settle(pending: Pending | None) -> None:
    """Wait for a batch whose stems are not needed any more."""
    with contextlib.suppress(Exception):
        if pending is not None:
            pending.result()
