"""The shaping stages of a master: tone, compression of three bands, saturation, width. Each that asks for nothing is
left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stemsvc.jobs.levels import decibels
from workers.audio.convolve import Convolver
from workers.audio.filters import Bands, Chain, Filter, bell, compressor, shelf

LOW_HZ, MID_HZ, HIGH_HZ = 120.0, 1500.0, 8000.0
EDGES = (150.0, 2500.0)  # Hz, of the compressor's bands
ATTACK_MS, RELEASE_MS = (30.0, 15.0, 5.0), (250.0, 160.0, 90.0)  # of the bands: low ones are slow
MOST_RATIO = 3.0  # at full compression
OVER_LOUDNESS_DB = 2.0  # the threshold of a band above the song's loudness
WIDE_HZ = 150.0  # what is below stays in the middle
MOST_DRIVE = 0.8  # at full saturation: of the curve, for what is as loud as the song is at its loudest
Sound = NDArray[np.float32]


class Stage(Protocol):
    """One stage: its name, its parameters as JSON, and what it does."""

    name: str
    parameters: dict[str, Any]

    def process(self, samples: Sound) -> Sound:
        """The next samples [n, 2]."""


class Tone:
    """Two shelves and a bell, with gains in dB."""

    name = "eq"

    def __init__(self, rate: int, low_db: float, mid_db: float, high_db: float) -> None:
        bands = (
            (low_db, shelf("lowshelf", LOW_HZ, low_db)),
            (mid_db, bell(MID_HZ, 0.7, mid_db)),
            (high_db, shelf("highshelf", min(HIGH_HZ, 0.4 * rate), high_db)),
        )
        self.parameters = {"low_db": round(low_db, 3), "mid_db": round(mid_db, 3), "high_db": round(high_db, 3)}
        self._chain = Chain(rate, [each for gain_db, each in bands if gain_db])

    def process(self, samples: Sound) -> Sound:
        """See `Stage`."""
        return self._chain.process(samples)


class Match:
    """The tone of a reference: a filter of at most 6 dB."""

    name = "match"

    def __init__(self, convolver: Convolver, bands: NDArray[np.float64], intensity: float) -> None:
        self._convolver = convolver
        gains = {f"{centre:.0f}": round(float(gain * intensity), 2) for centre, gain in bands.T}
        self.parameters: dict[str, Any] = {"gains_db": gains}

    def process(self, samples: Sound) -> Sound:
        """See `Stage`."""
        return self._convolver.process(samples.astype(np.float64)).astype(np.float32)


class Compression:
    """A compressor for each of three bands, `amount` from 0 to 1. Its threshold follows the song's loudness."""

    name = "compression"

    def __init__(self, rate: int, amount: float, loudness: float) -> None:
        ratio = 1 + (MOST_RATIO - 1) * amount
        threshold = min(0.0, max(-60.0, loudness + OVER_LOUDNESS_DB))
        bands = [
            compressor(threshold, ratio, attack, release) for attack, release in zip(ATTACK_MS, RELEASE_MS, strict=True)
        ]
        edges = [edge for edge in EDGES if edge < 0.45 * rate]
        self._bands = Bands(rate, edges, bands[: len(edges) + 1])
        self.parameters = {"edges_hz": edges, "ratio": round(ratio, 3), "threshold_db": round(threshold, 2)}

    def process(self, samples: Sound) -> Sound:
        """See `Stage`."""
        return self._bands.process(samples)


class Saturation:
    """The curve tanh(d x / r) r / d: odd harmonics, and softer peaks. `reference` is the level r."""

    name = "saturation"

    def __init__(self, amount: float, reference: float) -> None:
        self._scale = MOST_DRIVE * amount / max(reference, 1e-6)
        self.parameters = {"drive": round(MOST_DRIVE * amount, 3), "reference_db": decibels(reference)}

    def process(self, samples: Sound) -> Sound:
        """See `Stage`."""
        scale = np.float32(self._scale)
        return np.asarray(np.tanh(samples * scale) / scale, np.float32)


class Width:
    """The sides above `WIDE_HZ`, times a factor."""

    name = "width"

    def __init__(self, rate: int, factor: float) -> None:
        self._more = np.float32((factor - 1) / 2)
        self._high = Chain(rate, [Filter("highpass", {"f": WIDE_HZ, "p": 1, "r": "f64"})])
        self.parameters = {"factor": round(factor, 4), "above_hz": WIDE_HZ}

    def process(self, samples: Sound) -> Sound:
        """See `Stage`."""
        difference = samples[:, :1] - samples[:, 1:]
        sides = self._high.process(np.concatenate([difference, -difference], axis=1))
        return samples + self._more * sides


class Metered:
    """Stages one after the other, with the level before and after each."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = stages
        self._squares = np.zeros(len(stages) + 1)
        self._peaks = np.zeros(len(stages))
        self._count = 0

    def process(self, samples: Sound) -> Sound:
        """The next samples [n, 2] through all stages."""
        self._count += samples.size
        self._squares[0] += _square(samples)
        for number, stage in enumerate(self._stages):
            samples = stage.process(samples)
            self._squares[number + 1] += _square(samples)
            self._peaks[number] = max(self._peaks[number], float(np.abs(samples).max(initial=0)))
        return samples

    @property
    def facts(self) -> list[dict[str, Any]]:
        """Each stage's name, parameters and meters."""
        levels = [decibels(math.sqrt(each / max(1, self._count))) for each in self._squares]
        return [
            {
                "stage": stage.name,
                "parameters": stage.parameters,
                "rms_in_db": levels[number],
                "rms_out_db": levels[number + 1],
                "peak_out_db": decibels(float(self._peaks[number])),
            }
            for number, stage in enumerate(self._stages)
        ]


def _square(samples: Sound) -> float:
    flat = samples.reshape(-1)
    return float(flat @ flat)
