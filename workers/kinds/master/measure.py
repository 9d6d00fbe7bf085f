"""What is measured of a song before and after: loudness, peaks, width, tone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from stemsvc.jobs.levels import decibels
from workers.audio.loudness import LEAST_LUFS, Loudness
from workers.audio.track import Track

BLOCK = 1 << 16  # frames; a multiple of the limiter's hop
FFT = 8192
SPARSE = 4  # of so many windows one is looked at: a song's tone is the mean of thousands
_KEYS = {
    "momentary": "lavfi.r128.M",
    "short_term": "lavfi.r128.S",
    "range": "lavfi.r128.LRA",
    "integrated": "lavfi.r128.I",
}


@dataclass(frozen=True)
class Measured:
    """A song in figures. Loudness is None for silence and for less than 0.4 s; `power` is that of each FFT bin."""

    loudness: float | None
    range_lu: float | None
    momentary_max: float | None
    short_term_max: float | None
    peak: float
    rms: float
    width: float  # RMS of the sides over that of the middle
    power: NDArray[np.float64]

    @property
    def facts(self) -> dict[str, Any]:
        """The figures as clients see them; peaks are of the samples."""
        return {
            "loudness_lufs": self.loudness,
            "range_lu": self.range_lu,
            "momentary_max_lufs": self.momentary_max,
            "short_term_max_lufs": self.short_term_max,
            "peak_db": decibels(self.peak),
            "rms_db": decibels(self.rms),
            "width": round(self.width, 4),
        }


class Meter(Loudness):
    """Measures one signal [n, 2] piece by piece. That of a mono song is measured as the mono file that it becomes."""

    def __init__(self, rate: int, mono: bool) -> None:
        super().__init__(rate, "mono" if mono else "stereo")
        self._mono = mono
        self._found: dict[str, float] = {}
        self._products = np.zeros((2, 2))  # of the channels with each other
        self._count = self._windows = 0
        self._power = np.zeros(FFT // 2 + 1)
        self._window = np.hanning(FFT)

    def add(self, samples: NDArray[np.float32]) -> None:
        """Measure the next samples."""
        if not len(samples):
            return
        super().add(samples[:, :1] if self._mono else samples)
        both = samples.astype(np.float64)
        self._products += both.T @ both
        self._count += len(samples)
        for start in range(0, len(both) - FFT + 1, FFT * SPARSE):
            left, right = both[start : start + FFT].T
            self._power += np.abs(np.fft.rfft((left + right) / 2 * self._window)) ** 2
            self._windows += 1

    def measured(self) -> Measured:
        """The figures of all samples so far."""
        squares, both = float(np.trace(self._products)), float(self._products[0, 1])
        middle, sides = (squares + 2 * both) / 4, max(0.0, squares - 2 * both) / 4
        loudness = self.integrated()
        heard = self._found if loudness is not None else {}
        return Measured(
            loudness,
            _rounded(heard.get("range")),
            _rounded(heard.get("momentary")),
            _rounded(heard.get("short_term")),
            self.peak,
            math.sqrt(squares / 2 / max(1, self._count)),
            math.sqrt(sides / middle) if middle > 0 else 0.0,
            self._power / max(1, self._windows),
        )

    def _pull(self) -> None:
        while True:
            try:
                heard = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            found = {name: float(text) for name, key in _KEYS.items() if (text := heard.metadata.get(key))}
            self._last = found.get("integrated", self._last)
            for name, value in found.items():
                known = self._found.get(name)
                self._found[name] = value if name == "range" or known is None else max(known, value)


def measure(track: Track, mono: bool, tick: Callable[[int, int], None]) -> Measured:
    """The figures of a whole track; `tick` gets measured and all frames, and what it raises ends it."""
    meter = Meter(track.sample_rate, mono)
    for start in range(0, track.frames, BLOCK):
        tick(start, track.frames)
        meter.add(track.read(start, min(start + BLOCK, track.frames)))
    return meter.measured()


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) or value < LEAST_LUFS else round(value, 2)
