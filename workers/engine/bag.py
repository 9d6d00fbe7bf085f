"""Networks that together are one model, of families other than Demucs'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workers.engine.families.network import ChunkNetwork


@dataclass(frozen=True)
class Plain:
    """How MSST cuts a track for a network of Demucs' that it trained: chunks that overlap by so much and count alike.

    `normalized`: as `Chunked` has it. Upstream's own networks are cut and normalised as upstream does it.
    """

    overlap: float
    normalized: bool


class Chunked:
    """A network, and how MSST cuts a track for it: the chunk's samples, and how much of it the next chunk covers.

    `normalized`: the whole track's mean and deviation are taken out before, and put back afterwards.
    """

    def __init__(
        self, network: ChunkNetwork, samplerate: int, chunk: int, overlap: float = 0.5, *, normalized: bool = False
    ) -> None:
        self.network = network
        self.samplerate = samplerate
        self.chunk = chunk
        self.overlap = overlap
        self.normalized = normalized

    @property
    def segment(self) -> float:
        """The chunk in seconds."""
        return self.chunk / self.samplerate


class Bag:
    """Networks of the same stems, whose outputs are averaged. It has what the engine reads of demucs' bags.

    `stems` are the model's. `rest` is the one of them that no network predicts: it is the mixture less the others.
    """

    def __init__(
        self,
        networks: Sequence[Chunked],
        stems: Sequence[str],
        weights: list[list[float]] | None = None,
        rest: str | None = None,
    ) -> None:
        self.models: list[Any] = list(networks)
        self.sources = list(stems)
        self.rest = rest
        self.samplerate = networks[0].samplerate
        predicted = len(self.sources) - (rest is not None)
        self.weights = weights or [[1.0] * predicted for _ in networks]
