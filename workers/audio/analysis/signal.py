"""The state of a signal: clipping, silence, DC, width, correlation, spectrum."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemsvc.jobs.levels import decibels
from workers.audio.analysis.spectra import Spectra

FULL = 1 - 2**-15  # of full scale: the highest sample that 16 bits hold
RUN = 3  # samples at full scale in a row are clipping; a single one may be a peak that just fits
SILENT_DB = -60.0  # of full scale: a window whose peak is below it is silent
WINDOW_SECONDS = 0.1
LEAST_SILENCE = 0.5  # seconds of a silence inside a track that is told
MOST_SILENCES = 100
FFT, HOP = 4096, 4096
THIRD = 2 ** (1 / 6)  # half of a third of an octave
CENTRES = (
    *(25, 31.5, 40, 50, 63, 80, 100, 125, 160, 200, 250, 315, 400, 500, 630, 800, 1000, 1250, 1600),
    *(2000, 2500, 3150, 4000, 5000, 6300, 8000, 10000, 12500, 16000, 20000),
)

Samples = NDArray[np.float32]


@dataclass
class SignalMeter:
    """Measures a stereo signal [n, 2] at `rate` Hz piece by piece. What it holds does not grow with the track."""

    rate: int
    _frames: int = 0
    _sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    _squares: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 2)))
    _peak: float = 0.0
    _clipped: int = 0
    _runs: int = 0
    _longest: int = 0
    _open: list[int] = field(default_factory=lambda: [0, 0])  # samples at full scale up to here, of each channel
    _power: NDArray[np.float64] = field(default_factory=lambda: np.zeros(FFT // 2 + 1))
    _spectra: list[Spectra] = field(default_factory=lambda: [Spectra(FFT, HOP), Spectra(FFT, HOP)])
    _counted: int = 0
    _quiet: _Silences | None = None

    def __post_init__(self) -> None:
        self._quiet = _Silences(self.rate)

    def add(self, samples: Samples) -> None:
        """Measure the next samples."""
        if not len(samples):
            return
        self._frames += len(samples)
        planes = np.ascontiguousarray(samples.T)  # sums along a channel are many times faster so
        exact, level = planes.astype(np.float64), np.abs(planes)
        self._sums += exact.sum(axis=1)
        self._squares += exact @ exact.T
        self._peak = max(self._peak, float(level.max()))
        for channel in range(2):
            self._note_clipping(level[channel] >= FULL, channel)
            for magnitudes in self._spectra[channel].add(planes[channel]):
                self._power += (magnitudes.astype(np.float64) ** 2).sum(axis=0)
                self._counted += len(magnitudes)
        assert self._quiet is not None
        self._quiet.add(np.maximum(*level))

    def _note_clipping(self, full: NDArray[np.bool_], channel: int) -> None:
        edges = np.flatnonzero(np.diff(np.concatenate([[False], full, [False]]).astype(np.int8)))
        starts, stops = edges[::2], edges[1::2]
        lengths = stops - starts
        if len(starts) and starts[0] == 0:
            lengths[0] += self._open[channel]
        elif self._open[channel]:
            self._end_run(self._open[channel])
        self._open[channel] = 0
        if len(stops) and stops[-1] == len(full):
            self._open[channel] = int(lengths[-1])
            lengths = lengths[:-1]
        runs = lengths[lengths >= RUN]
        self._runs += len(runs)
        self._clipped += int(runs.sum())
        self._longest = max(self._longest, int(runs.max(initial=0)))

    def _end_run(self, length: int) -> None:
        if length >= RUN:
            self._runs += 1
            self._clipped += length
            self._longest = max(self._longest, length)

    def facts(self, channels: int) -> dict[str, Any]:
        """What was measured of a track of so many channels. Call it once, at the end."""
        assert self._quiet is not None
        for channel in range(2):
            self._end_run(self._open[channel])
            for magnitudes in self._spectra[channel].finish():
                self._power += (magnitudes.astype(np.float64) ** 2).sum(axis=0)
                self._counted += len(magnitudes)
        count = 1 if channels == 1 else 2  # a mono track lies in both channels
        samples = max(1, self._frames)
        return {
            "peak_db": decibels(self._peak),
            "rms_db": decibels(float(np.sqrt(np.trace(self._squares) / (2 * samples)))),
            "clipping": {
                "clipped_samples": self._clipped * count // 2,
                "runs": self._runs * count // 2,
                "longest_run": self._longest,
            },
            "silence": self._quiet.facts(self._frames),
            "dc_offset": [round(float(each), 7) for each in (self._sums / samples)[:count]],
            "stereo": self._stereo(channels),
            "spectrum": self._spectrum(),
        }

    def _stereo(self, channels: int) -> dict[str, float | None]:
        """Correlation of the channels from -1 to 1; width: power of the side as a share of middle and side."""
        left, right, both = self._squares[0, 0], self._squares[1, 1], self._squares[0, 1]
        if channels == 1:
            return {"correlation": None, "width": None, "balance_db": None}
        power = left + right
        middle, side = (power + 2 * both) / 4, (power - 2 * both) / 4
        whole = middle + side
        heard = left > 0 and right > 0
        return {
            "correlation": round(float(both / np.sqrt(left * right)), 4) if heard else None,
            "width": round(float(max(0.0, side) / whole), 4) if whole > 0 else None,
            "balance_db": round(float(10 * np.log10(right / left)), 2) if heard else None,
        }

    def _spectrum(self) -> dict[str, Any]:
        """Levels of thirds of octaves in dB (a sine of full scale has 0), the centre of gravity, and the frequency
        below which 95 % of the power lie."""
        power = self._power / max(1, self._counted)
        hertz = np.fft.rfftfreq(FFT, 1 / self.rate)
        power[0] = 0
        total = float(power.sum())
        if total <= 1e-20:
            return {"centroid_hz": None, "rolloff_hz": None, "bands": []}
        bands = []
        for centre in CENTRES:
            inside = (hertz >= centre / THIRD) & (hertz < centre * THIRD)
            if centre * THIRD <= self.rate / 2 and inside.any():
                # a sine's magnitude is half its amplitude, and the window spreads its power over 1.5 bins
                bands.append({"hz": centre, "db": decibels(float(2 * np.sqrt(power[inside].sum() / 1.5)))})
        return {
            "centroid_hz": round(float((hertz * power).sum() / total), 1),
            "rolloff_hz": round(float(hertz[int(np.searchsorted(np.cumsum(power), 0.95 * total))]), 1),
            "bands": bands,
        }


class _Silences:
    """Finds silent windows in a signal that comes in pieces."""

    def __init__(self, rate: int) -> None:
        self._rate, self._size = rate, max(1, round(WINDOW_SECONDS * rate))
        self._rest = np.zeros(0, np.float32)
        self._at = self._silent = 0  # windows
        self._since: int | None = None
        self._first_sound: int | None = None
        self._after_sound = 0
        self._found: list[tuple[float, float]] = []

    def add(self, level: NDArray[np.float32]) -> None:
        """Note the next samples' absolute values."""
        held = np.concatenate([self._rest, level])
        count = len(held) // self._size
        self._note(held[: count * self._size].reshape(count, self._size).max(axis=1, initial=0))
        self._rest = held[count * self._size :]

    def _note(self, levels: NDArray[np.float32]) -> None:
        silent = levels < 10 ** (SILENT_DB / 20)
        self._silent += int(silent.sum())
        for edge in np.flatnonzero(np.diff(np.concatenate([[self._since is not None], silent]).astype(np.int8))):
            at = self._at + int(edge)
            if silent[edge]:
                self._since = at
            else:
                self._close(at)
        sounding = np.flatnonzero(~silent)
        if len(sounding):
            if self._first_sound is None:
                self._first_sound = self._at + int(sounding[0])
            self._after_sound = self._at + int(sounding[-1]) + 1
        self._at += len(levels)

    def _close(self, at: int) -> None:
        assert self._since is not None
        seconds = self._size / self._rate
        if (at - self._since) * seconds >= LEAST_SILENCE and len(self._found) < MOST_SILENCES:
            self._found.append((self._since * seconds, at * seconds))
        self._since = None

    def facts(self, frames: int) -> dict[str, Any]:
        """What was found in a track of so many samples."""
        if len(self._rest):
            self._note(self._rest.max(keepdims=True))
        if self._since is not None:
            self._close(self._at)
        whole, seconds = frames / self._rate, self._size / self._rate
        silent = self._first_sound is None
        first = whole if self._first_sound is None else self._first_sound * seconds
        last = 0.0 if silent else min(whole, self._after_sound * seconds)
        return {
            "silent": silent,
            "share": round(self._silent / max(1, self._at), 4),
            "leading_seconds": round(min(whole, first), 3),
            "trailing_seconds": round(whole - last, 3),
            "stretches": [{"start": round(a, 3), "end": round(min(b, whole), 3)} for a, b in self._found],
        }
