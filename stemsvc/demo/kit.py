"""A drum kit, drawn for each song: every drum is a short sound made of swept sines, resonances and filtered noise."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

from stemsvc.demo.voices import RATE, Sound

DRUMS = ("kick", "snare", "hat", "open_hat", "ride", "crash", "tom", "low_tom", "clap", "shaker")


def draw_kit(rng: np.random.Generator) -> dict[str, Sound]:
    """One sound for each name of `DRUMS`, at full velocity."""
    return {
        "kick": _kick(rng),
        "snare": _snare(rng),
        "hat": _cymbal(rng, decay=float(rng.uniform(0.02, 0.07)), low=6500),
        "open_hat": _cymbal(rng, decay=float(rng.uniform(0.15, 0.4)), low=6000),
        "ride": _cymbal(rng, decay=float(rng.uniform(0.3, 0.7)), low=3500) * np.float32(0.6),
        "crash": _cymbal(rng, decay=float(rng.uniform(0.6, 1.3)), low=2500) * np.float32(1.3),
        "tom": _tom(rng, float(rng.uniform(130, 200))),
        "low_tom": _tom(rng, float(rng.uniform(75, 120))),
        "clap": _clap(rng),
        "shaker": _noise(rng, 0.08, 5000, 12000, 0.03) * np.float32(0.5),
    }


def _time(seconds: float) -> Sound:
    return np.arange(int(seconds * RATE), dtype=np.float32) / np.float32(RATE)


def _noise(rng: np.random.Generator, seconds: float, low: float, high: float, decay: float) -> Sound:
    time = _time(seconds)
    band = butter(2, [low, min(high, 20000)], "bandpass", fs=RATE, output="sos")
    return np.asarray(sosfilt(band, rng.normal(0, 1, len(time))) * np.exp(-time / decay), np.float32)


def _kick(rng: np.random.Generator) -> Sound:
    time = _time(0.45)
    end, sweep, fall = rng.uniform(42, 62), rng.uniform(60, 220), rng.uniform(0.015, 0.05)
    phase = 2 * np.pi * (end * time + sweep * fall * (1 - np.exp(-time / fall)))
    body = np.sin(phase) * np.exp(-time / rng.uniform(0.08, 0.2))
    click = _noise(rng, 0.45, 1500, 8000, 0.004) * rng.uniform(0.1, 0.5)
    return np.asarray(np.tanh((body + click) * rng.uniform(1.0, 2.5)), np.float32)


def _snare(rng: np.random.Generator) -> Sound:
    time = _time(0.4)
    base = rng.uniform(160, 240)
    tone = sum(np.sin(2 * np.pi * base * r * time) * np.exp(-time / 0.06) for r in (1.0, 1.59))
    rattle = _noise(rng, 0.4, rng.uniform(800, 2500), rng.uniform(8000, 15000), rng.uniform(0.05, 0.16))
    return np.asarray(0.4 * rng.uniform(0.5, 1.2) * tone + rattle * rng.uniform(0.5, 0.9), np.float32)


def _cymbal(rng: np.random.Generator, decay: float, low: float) -> Sound:
    seconds = min(2.5, decay * 5 + 0.05)
    time = _time(seconds)
    base = rng.uniform(300, 450)
    metal = sum(np.sign(np.sin(2 * np.pi * base * r * time)) for r in (1.0, 1.34, 1.87, 2.41, 2.93, 3.57))
    band = butter(2, low, "highpass", fs=RATE, output="sos")
    hiss = rng.normal(0, 1, len(time))
    mix = sosfilt(band, rng.uniform(0.1, 0.4) * metal + hiss)
    return np.asarray(0.4 * mix * np.exp(-time / decay), np.float32)


def _tom(rng: np.random.Generator, frequency: float) -> Sound:
    time = _time(0.5)
    phase = 2 * np.pi * frequency * (time + 0.3 * 0.05 * (1 - np.exp(-time / 0.05)))
    stick = _noise(rng, 0.5, 500, 4000, 0.01) * rng.uniform(0.1, 0.4)
    return np.asarray(np.sin(phase) * np.exp(-time / rng.uniform(0.1, 0.25)) + stick, np.float32)


def _clap(rng: np.random.Generator) -> Sound:
    out = np.zeros(int(0.35 * RATE), np.float32)
    for at in (0.0, rng.uniform(0.008, 0.014), rng.uniform(0.018, 0.028)):
        burst = _noise(rng, 0.3, 900, 4500, 0.01 if at < 0.016 else rng.uniform(0.06, 0.12))
        start = int(at * RATE)
        out[start : start + len(burst)] += burst[: len(out) - start]
    return out
