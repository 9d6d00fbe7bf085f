"""Small pieces of music with known beats and chords."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RATE = 22050
MAJOR, MINOR = (0, 4, 7), (0, 3, 7)
# A minor: i, VI, iv, V
LOOP = ((9, MINOR), (5, MAJOR), (2, MINOR), (4, MAJOR))
Mono = NDArray[np.float32]


def beat_times(bpm: float | tuple[float, float], count: int, start: float = 0.0) -> NDArray[np.float64]:
    """Times of beats at one tempo, or at a tempo that glides from the first to the last one."""
    tempi = np.linspace(bpm[0], bpm[1], count - 1) if isinstance(bpm, tuple) else np.full(count - 1, bpm)
    return start + np.concatenate([[0.0], np.cumsum(60 / tempi)])


def groove(
    beats: NDArray[np.float64],
    meter: int = 4,
    loop: Sequence[tuple[int, tuple[int, ...]]] = LOOP,
    transpose: float = 0.0,
    rate: int = RATE,
) -> Mono:
    """Kick, snare, hats, a bass and chords that change with each bar, on the beats given."""
    rng = np.random.default_rng(5)
    out = np.zeros(int((beats[-1] + 0.8) * rate), np.float32)
    for number, at in enumerate(beats[:-1]):
        step, place = beats[number + 1] - at, number % meter
        if place == 0:
            root, triad = loop[number // meter % len(loop)]
            until = beats[min(number + meter, len(beats) - 1)] - at
            for pitch in (60 + root + each for each in triad):
                _add(out, at, 0.12 * _tone(pitch + transpose, until, rate), rate)
            _add(out, at, 0.25 * _tone(36 + root + transpose, until, rate), rate)
        drum = 0.6 * _kick(rate) if (place in (0, 2) and meter == 4) or place == 0 else 0.3 * _noise(rng, 0.1, rate)
        _add(out, at, drum, rate)
        _add(out, at + step / 2, 0.08 * _noise(rng, 0.03, rate), rate)
    return out


def _add(out: Mono, at: float, sound: NDArray[np.float64], rate: int) -> None:
    first = round(at * rate)
    part = sound[: max(0, len(out) - first)]
    out[first : first + len(part)] += part.astype(np.float32)


def _tone(pitch: float, seconds: float, rate: int) -> NDArray[np.float64]:
    time = np.arange(round(seconds * rate)) / rate
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    sound = sum(np.sin(2 * np.pi * hertz * k * time) / k**1.5 for k in (1, 2, 3, 4))
    return np.asarray(sound * np.minimum(1, np.minimum(time, time[::-1]) / 0.01))


def _kick(rate: int) -> NDArray[np.float64]:
    time = np.arange(round(0.2 * rate)) / rate
    return np.asarray(np.sin(2 * np.pi * (50 * time - 4 * np.exp(-time / 0.02))) * np.exp(-time / 0.06))


def _noise(rng: np.random.Generator, seconds: float, rate: int) -> NDArray[np.float64]:
    time = np.arange(round(3 * seconds * rate)) / rate
    return np.asarray(rng.normal(0, 1, len(time)) * np.exp(-time / (seconds / 2)))
