"""A drum kit: each drum is a short sound made of swept sines, resonances and filtered noise, in a genre's flavours."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from workers.kinds.generate.sketch.voices import RATE, Sound

Rng = np.random.Generator
Floats = NDArray[np.float64]
# Seconds, lowest Hz, Hz of the sweep above it, its time, decay, click, drive.
KICKS = {
    "boom": (0.9, 42, 110, 0.035, 0.32, 0.25, 2.2),
    "punch": (0.4, 48, 210, 0.028, 0.12, 0.45, 2.4),
    "thud": (0.4, 52, 90, 0.03, 0.11, 0.15, 1.6),
    "acoustic": (0.4, 58, 70, 0.02, 0.10, 0.55, 1.4),
    "tight": (0.3, 56, 190, 0.02, 0.075, 0.7, 2.0),
}
# Seconds, Hz of the head, its level, its decay, the rattle's band, its decay, its level.
SNARES = {
    "acoustic": (0.4, 195, 0.7, 0.07, (1400, 9500), 0.10, 0.75),
    "crack": (0.35, 220, 0.9, 0.05, (1800, 12000), 0.09, 0.95),
    "fat": (0.45, 170, 1.0, 0.09, (1000, 8000), 0.14, 0.8),
    "rim": (0.2, 420, 1.0, 0.018, (1800, 7000), 0.025, 0.5),
    "brush": (0.35, 200, 0.15, 0.05, (2500, 9000), 0.11, 0.5),
    "clap": (0.4, 0, 0.0, 0.05, (900, 5500), 0.10, 1.0),
}
HATS = {"tight": (0.025, 8000), "crisp": (0.045, 7000), "soft": (0.035, 5500)}  # decay, lowest Hz
LEVELS = {
    "kick": 1.0, "snare": 0.72, "clap": 0.6, "hat": 0.2, "open_hat": 0.2, "ride": 0.16, "crash": 0.3, "tom": 0.6,
    "low_tom": 0.7, "shaker": 0.13, "conga": 0.4, "tambourine": 0.18,
}  # fmt: skip
PANS = {"hat": 0.2, "open_hat": 0.2, "ride": -0.3, "crash": -0.25, "tom": 0.25, "low_tom": -0.2, "shaker": -0.4,
        "conga": 0.35, "tambourine": 0.35, "clap": 0.05}  # fmt: skip


def build(flavours: Mapping[str, str], seed: int) -> dict[str, Sound]:
    """A sound [samples, 2] for each drum, at full velocity. The seed moves the noise alone."""
    rng = np.random.default_rng([seed, 11])
    decay, low = HATS[flavours["hat"]]
    drums: dict[str, Floats] = {
        "kick": _kick(rng, *KICKS[flavours["kick"]]),
        "snare": _clap(rng) if flavours["snare"] == "clap" else _snare(rng, *SNARES[flavours["snare"]]),
        "clap": _clap(rng),
        "hat": _cymbal(rng, decay, low),
        "open_hat": _cymbal(rng, 0.16, low),
        "ride": _cymbal(rng, 0.35, 4000),
        "crash": _cymbal(rng, 0.7, 3000),
        "tom": _tom(rng, 150),
        "low_tom": _tom(rng, 85),
        "shaker": _burst(rng, 0.09, 5000, 13000, 0.028),
        "conga": _tom(rng, 260),
        "tambourine": _cymbal(rng, 0.06, 6000),
    }
    return {name: _placed(sound, LEVELS[name], PANS.get(name, 0.0)) for name, sound in drums.items()}


def _placed(sound: Floats, level: float, pan: float) -> Sound:
    scaled = sound / max(1e-9, float(np.abs(sound).max())) * level
    fade = min(len(scaled), round(0.01 * RATE))
    scaled[-fade:] *= np.linspace(1, 0, fade)
    angle = (pan + 1) * np.pi / 4
    sides = np.array([np.cos(angle), np.sin(angle)]) * np.sqrt(2)
    return np.asarray(scaled[:, None] * sides, np.float32)


def _time(seconds: float) -> Floats:
    return np.arange(int(seconds * RATE)) / RATE


def _burst(rng: Rng, seconds: float, low: float, high: float, decay: float) -> Floats:
    time = _time(seconds)
    band = butter(2, [low, high], "bandpass", fs=RATE, output="sos")
    return np.asarray(sosfilt(band, rng.standard_normal(len(time))) * np.exp(-time / decay))


def _kick(
    rng: Rng, seconds: float, low: float, sweep: float, fall: float, decay: float, click: float, drive: float
) -> Floats:
    time = _time(seconds)
    phase = 2 * np.pi * (low * time + sweep * fall * (1 - np.exp(-time / fall)))
    body = np.sin(phase) * np.exp(-time / decay)
    hit: Floats = np.tanh((body + click * _burst(rng, seconds, 1500, 8000, 0.004)) * drive)
    return hit


def _snare(
    rng: Rng,
    seconds: float,
    head: float,
    level: float,
    decay: float,
    band: tuple[float, float],
    rattle: float,
    noise: float,
) -> Floats:
    time = _time(seconds)
    tone = np.sin(2 * np.pi * head * time) + 0.6 * np.sin(2 * np.pi * 1.59 * head * time)
    snap = np.exp(-time / 0.003)
    body = level * 0.5 * tone * np.exp(-time / decay)
    return np.tanh(1.5 * (body + noise * (1 + snap) * _burst(rng, seconds, *band, rattle)))


def _clap(rng: Rng) -> Floats:
    out = np.zeros(int(0.4 * RATE))
    for at, decay in ((0.0, 0.006), (0.011, 0.006), (0.022, 0.09)):
        burst, start = _burst(rng, 0.36, 1000, 5500, decay), int(at * RATE)
        out[start : start + len(burst)] += burst
    return out


def _cymbal(rng: Rng, decay: float, low: float) -> Floats:
    time = _time(min(2.5, 5 * decay + 0.05))
    metal = sum(np.sign(np.sin(2 * np.pi * 370 * ratio * time)) for ratio in (1.0, 1.34, 1.87, 2.41, 2.93, 3.57))
    band = butter(2, low, "highpass", fs=RATE, output="sos")
    return np.asarray(sosfilt(band, 0.3 * metal + rng.standard_normal(len(time))) * np.exp(-time / decay))


def _tom(rng: Rng, frequency: float) -> Floats:
    time = _time(0.5)
    phase = 2 * np.pi * frequency * (time + 0.015 * (1 - np.exp(-time / 0.05)))
    return np.sin(phase) * np.exp(-time / 0.16) + 0.25 * _burst(rng, 0.5, 500, 4000, 0.01)
