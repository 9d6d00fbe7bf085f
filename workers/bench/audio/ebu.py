"""The test signals of EBU Tech 3341 (2016) and 3342 (2016) that can be generated, and what a meter must say of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.audio.analysis.loudness import LoudnessFacts, LoudnessMeter

RATE = 48000
Sound = NDArray[np.float32]
# (dBFS, seconds) of a stereo sine of 1 kHz; then the field of `LoudnessFacts` and its value. Tolerance 0.1 LU, 1 LU for
# ranges.
TONES = {
    "3341-1": (((-23.0, 20.0),), "integrated_lufs", -23.0),
    "3341-2": (((-33.0, 20.0),), "integrated_lufs", -33.0),
    "3341-3": (((-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)), "integrated_lufs", -23.0),
    "3341-4": (
        ((-72.0, 10.0), (-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0), (-72.0, 10.0)),
        "integrated_lufs",
        -23.0,
    ),
    "3341-5": (((-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)), "integrated_lufs", -23.0),
    "3341-9": (((-20.0, 1.34), (-30.0, 1.66)) * 5, "short_term_max", -23.0),
    "3341-12": (((-20.0, 0.18), (-30.0, 0.22)) * 25, "momentary_max", -23.0),
    "3342-1": (((-20.0, 20.0), (-30.0, 20.0)), "range_lu", 10.0),
    "3342-2": (((-20.0, 20.0), (-15.0, 20.0)), "range_lu", 5.0),
    "3342-3": (((-40.0, 20.0), (-20.0, 20.0)), "range_lu", 20.0),
    "3342-4": (
        ((-50.0, 20.0), (-35.0, 20.0), (-20.0, 20.0), (-35.0, 20.0), (-50.0, 20.0)),
        "range_lu",
        15.0,
    ),
}
# Frequency as a share of the rate, phase in degrees, amplitude, dBTP that must be read; tolerance +0.2 and -0.4 dB.
PEAKS = {
    "3341-15": (1 / 4, 0.0, 0.50, -6.0),
    "3341-16": (1 / 4, 45.0, 0.50, -6.0),
    "3341-17": (1 / 6, 60.0, 0.50, -6.0),
    "3341-18": (1 / 8, 67.5, 0.50, -6.0),
    "3341-19": (1 / 4, 45.0, 1.41, 3.0),
}
BURSTS = {"3341-20": 0, "3341-21": 1, "3341-22": 2, "3341-23": 3}  # samples of 192 kHz by which the grid is off
ABOVE, BELOW = 0.2, 0.4  # dB
SURROUND = (-28.0, -28.0, -24.0, -30.0, -30.0)  # 3341-6: left, right, centre, both surrounds, in dBFS


@dataclass(frozen=True)
class Case:
    """What the meter said of one signal, what it had to say, and how far it may be off."""

    name: str
    found: float | None
    wanted: float
    above: float
    below: float

    @property
    def error(self) -> float:
        """How far it is off; infinite where it said nothing."""
        return float("inf") if self.found is None else self.found - self.wanted

    @property
    def met(self) -> bool:
        """Whether that is within the tolerance."""
        return -self.below - 1e-9 <= self.error <= self.above + 1e-9


def cases(names: Collection[str] | None = None) -> Iterator[Case]:
    """The cases of those names, or every one, measured."""

    def asked(case: str) -> bool:
        return names is None or case in names

    for name, (parts, field, value) in TONES.items():
        tolerance = 1.0 if field == "range_lu" else 0.1
        if asked(name):
            yield Case(name, getattr(_measured(_tones(parts)), field), value, tolerance, tolerance)
    if asked("3341-6"):
        yield Case("3341-6", _measured(_surround()).integrated_lufs, -23.0, 0.1, 0.1)
    for name, (share, phase, amplitude, value) in PEAKS.items():
        if asked(name):
            yield Case(name, _measured(_sine(share, phase, amplitude)).true_peak_dbtp, value, ABOVE, BELOW)
    for name, offset in BURSTS.items():
        if asked(name):
            yield Case(name, _measured(_burst(offset)).true_peak_dbtp, 0.0, ABOVE, BELOW)


def _measured(sound: Sound) -> LoudnessFacts:
    meter = LoudnessMeter(RATE, sound.shape[1])
    for start in range(0, len(sound), RATE):
        meter.add(sound[start : start + RATE])
    return meter.facts()


def _tones(parts: tuple[tuple[float, float], ...]) -> Sound:
    """A sine of 1 kHz through parts of (dBFS, seconds), the same left and right."""
    level = np.concatenate([np.full(round(seconds * RATE), 10 ** (db / 20)) for db, seconds in parts])
    return _stereo(level * np.sin(2 * np.pi * 1000 * np.arange(len(level)) / RATE))


def _surround() -> Sound:
    """20 s of a sine of 1 kHz in five channels."""
    sine = np.sin(2 * np.pi * 1000 * np.arange(20 * RATE) / RATE)
    return np.stack([10 ** (db / 20) * sine for db in SURROUND], axis=1).astype(np.float32)


def _sine(share: float, phase: float, amplitude: float) -> Sound:
    """One second, whose ends fade so that no click is the peak."""
    at = np.arange(RATE)
    fade = np.minimum(1, np.minimum(at, at[::-1]) / (0.05 * RATE))
    return _stereo(amplitude * fade * np.sin(2 * np.pi * share * at + np.radians(phase)))


def _burst(offset: int) -> Sound:
    """A sine of 0.5 with one period of 1.0 in its middle, at 192 kHz, filtered, and every fourth sample kept."""
    from scipy.signal import resample_poly

    rate, hertz = 4 * RATE, 6000
    at = np.arange(rate)
    loud = np.abs(at - rate // 2) < rate / hertz / 2
    fade = np.minimum(1, np.minimum(at, at[::-1]) / (0.05 * rate))
    sound = np.where(loud, 1.0, 0.5) * fade * np.sin(2 * np.pi * hertz * (at - rate // 2) / rate)
    return _stereo(resample_poly(np.roll(sound, offset), 1, 4))


def _stereo(mono: NDArray[np.float64]) -> Sound:
    return np.repeat(mono[:, None], 2, axis=1).astype(np.float32)
