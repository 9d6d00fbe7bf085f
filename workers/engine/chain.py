"""Several models as one: ensembles, whose outputs are combined, chains, in which one model hears what another left, and
sets, in which each hears the whole.

Everything streams: a step pulls what the step before it makes, piece by piece, so that memory does not grow with the
track and nothing is written in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stemsvc.errors import WeightsMismatch
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.models.entry import ModelEntry
from workers.engine.combine import Combination, combination
from workers.engine.converting import OnConvert, share, unseen
from workers.engine.in_flight import OnSegment
from workers.engine.mixture import Measured, Mixture, Passing, Sound, loudness
from workers.engine.separate import Separator

KEPT_SECONDS = 20.0  # what a step may read again; more where a card takes many segments at once
BATCHES = 18  # the segments of the largest batch, and their neighbours


@dataclass(frozen=True)
class ChainStep:
    """Models that hear the same, how much each counts, and the stems taken of them: {stem of the chain: theirs}.

    `alone`: they hear the whole mixture, not what the steps before left, and nobody misses what they take.
    """

    separators: Sequence[Separator]
    weights: Sequence[float]
    combine: str  # average, min, max
    take: Mapping[str, str]
    alone: bool = False


class Chain:
    """Steps that are used as one separator. `rest` is the stem of what all of them left."""

    def __init__(self, steps: Sequence[ChainStep], rest: str | None = None) -> None:
        self._steps = list(steps)
        self.rest = rest
        self.sources = [stem for step in steps for stem in step.take] + ([rest] if rest else [])
        rates = {separator.sample_rate for step in steps for separator in step.separators}
        if len(rates) != 1:
            raise WeightsMismatch(f"the models of a chain have different rates: {', '.join(map(str, sorted(rates)))}")
        (self.sample_rate,) = rates

    def load(self, stems: tuple[str, ...], on_convert: OnConvert = unseen) -> None:
        """Put every network that `stems` need on the device. `on_convert`: see `Separator.load`."""
        needed = self._separators(stems)
        for index, (separator, theirs) in enumerate(needed):
            separator.load(theirs, share(on_convert, index, len(needed)))

    def runs_fast(self, stems: tuple[str, ...]) -> bool:
        """Whether every network that `stems` need computes in the precision `fast`, once it is loaded."""
        return all(separator.runs_fast(theirs) for separator, theirs in self._separators(stems))

    def separate(
        self,
        mixture: Mixture,
        stems: tuple[str, ...],
        options: SeparationOptions | None = None,
        on_segment: OnSegment | None = None,
    ) -> Generator[dict[str, Sound]]:
        """Yield consecutive pieces {stem: [n, 2]}, as `Separator.separate` does and with its errors.

        Demucs' networks of later steps are normalised by the loudness of the mixture: that of what is left is known
        only at its end. They normalise each segment again, so that their stems differ by less than -50 dB from what
        they make of a file of what is left. So are those of the family VR, by the largest magnitude of the mixture.
        """
        options = options or SeparationOptions()
        needed = self._needed(stems)
        progress = _Progress(on_segment)
        kept = self._kept()
        streams: list[Iterator[dict[str, Sound]]] = []
        running: list[Generator[dict[str, Sound]]] = []
        heard: Mixture = mixture
        for step, wanted in needed:
            if step.alone:
                running.append(_step(step, mixture, wanted, options, progress))
                streams.append(running[-1])
        cascade = [(step, wanted) for step, wanted in needed if not step.alone]
        for index, (step, wanted) in enumerate(cascade):
            made = _step(step, heard, wanted, options, progress)
            running.append(made)
            if index + 1 < len(cascade) or self.rest in stems:
                measured = heard.loudness if isinstance(heard, _Left) else loudness(mixture)
                left = _Left(mixture.frames, heard, made, kept, *measured)
                streams.append(left.made())
                heard = left
            else:
                streams.append(made)
        if self.rest in stems:
            streams.append(_pieces(heard, str(self.rest)))
        try:
            yield from _aligned(streams, stems)
        finally:
            for made in reversed(running):
                made.close()

    def separate_array(
        self, samples: Sound, stems: tuple[str, ...] = (), options: SeparationOptions | None = None
    ) -> dict[str, Sound]:
        """Separate samples [frames, 2] in memory; returns {stem: [frames, 2]}, all stems if none is named."""
        from workers.engine.mixture import ArrayMixture

        wanted = stems or tuple(self.sources)
        pieces = list(self.separate(ArrayMixture(samples), wanted, options))
        nothing = np.zeros((0, 2), np.float32)
        return {stem: np.concatenate([nothing, *(piece[stem] for piece in pieces)]) for stem in wanted}

    def _separators(self, stems: tuple[str, ...]) -> list[tuple[Separator, tuple[str, ...]]]:
        """The models that `stems` need, and which of its own stems each must make."""
        return [
            (separator, tuple(dict.fromkeys(step.take[stem] for stem in taken)))
            for step, taken in self._needed(stems)
            for separator in step.separators
        ]

    def _needed(self, stems: tuple[str, ...]) -> list[tuple[ChainStep, list[str]]]:
        """The steps that `stems` need, and what each must make: all that it takes where somebody hears what it left."""
        found, heard_later = [], self.rest in stems
        for step in reversed(self._steps):
            wanted = [stem for stem in step.take if stem in stems or (heard_later and not step.alone)]
            if wanted:
                found.append((step, wanted))
                heard_later = heard_later or not step.alone
        return found[::-1]

    def _kept(self) -> int:
        separators = [separator for step in self._steps for separator in step.separators]
        longest = max(separator.segment for separator in separators)
        batch = BATCHES if any(separator.device.startswith("cuda") for separator in separators) else 4
        return int(max(KEPT_SECONDS, batch * longest) * self.sample_rate)


def assemble(entry: ModelEntry, load: Callable[[ModelEntry], Separator]) -> Chain:
    """The chain of an entry. A part that several steps name is loaded once."""
    loaded = {name: load(part) for name, part in entry.parts.items()}
    steps = [
        ChainStep(
            [loaded[name] for name in step.models],
            list(step.models.values()),
            step.combine,
            step.take,
            step.hears == "mixture",
        )
        for step in entry.steps
    ]
    return Chain(steps, entry.rest)


class _Progress:
    """Adds up the segments of all models."""

    def __init__(self, on_segment: OnSegment | None) -> None:
        self._on_segment = on_segment
        self._counts: list[tuple[int, int]] = []

    def of(self, total: int) -> OnSegment:
        """What one more model of `total` segments reports to."""
        self._counts.append((0, total))
        index = len(self._counts) - 1

        def report(done: int, total: int) -> None:
            self._counts[index] = (done, total)
            if self._on_segment is not None:
                self._on_segment(sum(each for each, _ in self._counts), sum(each for _, each in self._counts))

        return report


def _step(
    step: ChainStep, heard: Mixture, wanted: list[str], options: SeparationOptions, progress: _Progress
) -> Generator[dict[str, Sound]]:
    """The pieces of one step: its models run side by side and are combined where all of them have arrived."""
    theirs = tuple(dict.fromkeys(step.take[stem] for stem in wanted))
    reports = [progress.of(each.count_segments(heard.frames, theirs, options)) for each in step.separators]

    def run(combine: Callable[[], Combination]) -> Generator[dict[str, Sound]]:
        made = [
            separator.separate(heard, theirs, options, report)
            for separator, report in zip(step.separators, reports, strict=True)
        ]
        combined = {stem: combine() for stem in theirs}
        try:
            for pieces in _together(made, theirs):
                ready = {stem: combined[stem].add([piece[stem] for piece in pieces]) for stem in theirs}
                yield {stem: ready[step.take[stem]] for stem in wanted}
            rest = {stem: combined[stem].rest() for stem in theirs}
            yield {stem: rest[step.take[stem]] for stem in wanted}
        finally:
            for each in made:
                each.close()

    return run(lambda: combination(step.combine, step.weights))


class _Left(Measured, Passing):
    """What a step left of the mixture that it heard. It can be read while the step still runs, not far back."""

    def __init__(
        self, frames: int, heard: Mixture, made: Iterator[dict[str, Sound]], kept: int, mean: float, deviation: float
    ) -> None:
        self.loudness = mean, deviation
        self.whole = heard.whole if isinstance(heard, Passing) else heard
        self._frames, self._heard, self._made, self._kept = frames, heard, made, kept
        self._stored = np.zeros((0, 2), np.float32)
        self._first = 0  # position of the first sample that is stored
        self._passed: deque[dict[str, Sound]] = deque()

    @property
    def frames(self) -> int:
        """See `Mixture`."""
        return self._frames

    def read(self, start: int, stop: int) -> Sound:
        """See `Mixture`."""
        while self._first + len(self._stored) < stop and self._pull():
            pass
        if start < self._first:
            raise ValueError(f"sample {start} is gone: {self._first} is the first that is kept")
        return self._stored[start - self._first : stop - self._first]

    def made(self) -> Iterator[dict[str, Sound]]:
        """The step's own pieces: those that reading has pulled, and the others as they are asked for."""
        while self._passed or self._pull():
            yield self._passed.popleft()

    def _pull(self) -> bool:
        piece = next(self._made, None)
        if piece is None:
            return False
        end = self._first + len(self._stored)
        left = self._heard.read(end, end + len(next(iter(piece.values()))))
        for samples in piece.values():
            left = left - samples
        self._stored = np.concatenate([self._stored, left])
        gone = max(0, len(self._stored) - self._kept)
        self._stored, self._first = self._stored[gone:], self._first + gone
        self._passed.append(piece)
        return True


def _pieces(heard: Mixture, name: str, size: int = 1 << 16) -> Iterator[dict[str, Sound]]:
    for start in range(0, heard.frames, size):
        yield {name: heard.read(start, min(start + size, heard.frames))}


def _together(streams: Sequence[Iterator[dict[str, Sound]]], stems: Sequence[str]) -> Iterator[list[dict[str, Sound]]]:
    """Pieces of the same length from each stream. The stream that is furthest behind is pulled first."""
    waiting = [{stem: np.zeros((0, 2), np.float32) for stem in stems} for _ in streams]
    while True:
        for index, stream in enumerate(streams):
            while not len(waiting[index][stems[0]]):
                piece = next(stream, None)
                if piece is None:
                    _end(streams)
                    return
                waiting[index] = piece
        size = min(len(each[stems[0]]) for each in waiting)
        yield [{stem: each[stem][:size] for stem in stems} for each in waiting]
        waiting = [{stem: each[stem][size:] for stem in stems} for each in waiting]


def _end(streams: Sequence[Iterator[dict[str, Sound]]]) -> None:
    """Let each stream that has given its last piece run to its end: only then has it told of its last segment."""
    for stream in streams:
        next(stream, None)


def _aligned(streams: Sequence[Iterator[dict[str, Sound]]], stems: tuple[str, ...]) -> Generator[dict[str, Sound]]:
    """Pieces with all the stems, from streams that have some of them each.

    The last stream pulls the others, so that it is asked first and they have already what they made for it.
    """
    waiting: list[dict[str, Sound]] = [{} for _ in streams]
    while True:
        for index in reversed(range(len(streams))):
            while not waiting[index] or not len(next(iter(waiting[index].values()))):
                piece = next(streams[index], None)
                if piece is None:
                    _end(streams)
                    return
                waiting[index] = piece
        size = min(len(next(iter(each.values()))) for each in waiting)
        joined = {stem: samples[:size] for each in waiting for stem, samples in each.items()}
        yield {stem: joined[stem] for stem in stems}
        waiting = [{stem: samples[size:] for stem, samples in each.items()} for each in waiting]
