"""Pitched instruments by four synthesis methods: additive, subtractive, frequency modulation, plucked string.

A voice is drawn at random once for each part, then plays all its notes: `Voice(note) -> float32 [samples]` at `RATE`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

RATE = 44100
Sound = NDArray[np.float32]
# (fundamental in Hz, duration in seconds, velocity 0..1) -> samples, release included
Voice = Callable[[float, float, float], Sound]


def hertz(pitch: float) -> float:
    """Frequency of a MIDI pitch, equal temperament, A4 = 440 Hz."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def envelope(duration: float, attack: float, decay: float, sustain: float, release: float) -> Sound:
    """Attack-decay-sustain-release curve; times in seconds, `sustain` a level 0..1."""
    held = np.arange(max(1, int(duration * RATE)), dtype=np.float32) / RATE
    body = sustain + (1 - sustain) * np.exp(-np.maximum(held - attack, 0) / max(decay, 1e-3))
    body *= np.minimum(1.0, held / max(attack, 1e-3))
    tail = np.arange(max(1, int(release * RATE)), dtype=np.float32) / RATE
    ending = body[-1] * np.exp(-5.0 * tail / max(release, 1e-3)) * np.linspace(1, 0, len(tail))
    return np.concatenate([body, ending]).astype(np.float32)


def draw_voice(rng: np.random.Generator, role: str) -> Voice:
    """Draw an instrument that suits a role: `bass`, `chords`, `pad`, `arpeggio` or `lead`."""
    makers = {
        "bass": (additive, subtractive, plucked, modulated),
        "pad": (additive, subtractive, additive),
        "chords": (additive, subtractive, plucked, modulated),
        "arpeggio": (plucked, modulated, additive, subtractive),
        "lead": (subtractive, modulated, additive),
    }[role]
    maker = makers[rng.integers(len(makers))]
    return maker(rng, role)


def _shape(rng: np.random.Generator, role: str) -> tuple[float, float, float, float]:
    """Attack, decay, sustain and release that fit the role."""
    if role == "pad":
        return float(rng.uniform(0.08, 0.4)), 1.0, float(rng.uniform(0.7, 1)), float(rng.uniform(0.2, 0.6))
    sustained = rng.random() < 0.5
    sustain = float(rng.uniform(0.5, 0.9)) if sustained else float(rng.uniform(0.0, 0.2))
    return float(rng.uniform(0.003, 0.03)), float(rng.uniform(0.15, 0.9)), sustain, float(rng.uniform(0.04, 0.25))


def _phase(frequency: float, length: int, depth: float, rate: float, start: float) -> Sound:
    """Phase in radians with vibrato of `depth` (relative) and `rate` (Hz)."""
    time = np.arange(length) / RATE
    swing = depth * frequency / rate * (1 - np.cos(2 * np.pi * rate * time)) if depth else 0.0
    return (2 * np.pi * frequency * time + swing + start).astype(np.float32)


def additive(rng: np.random.Generator, role: str) -> Voice:
    """Sum of harmonics, the higher ones dying faster: pianos, organs, strings, mallets."""
    count = int(rng.integers(5, 24))
    tilt = float(rng.uniform(0.8, 2.0))
    levels = np.arange(1, count + 1) ** -tilt * rng.uniform(0.3, 1.0, count)
    if rng.random() < 0.3:
        levels[1::2] *= 0.15  # clarinet-like: odd harmonics lead
    damping = float(rng.uniform(0, 2.5))
    stretch = float(rng.choice([0.0, 0.0, 2e-4]))
    shape, vibrato = _shape(rng, role), float(rng.choice([0.0, 0.0, 0.003, 0.005]))
    starts = rng.uniform(0, 2 * np.pi, count)

    def play(frequency: float, duration: float, velocity: float) -> Sound:
        curve = envelope(duration, *shape)
        time = np.arange(len(curve), dtype=np.float32) / RATE
        out = np.zeros(len(curve), np.float32)
        for k in range(1, count + 1):
            partial = frequency * k * float(np.sqrt(1 + stretch * k * k))
            if partial > 16000:
                break
            tone = np.sin(_phase(partial, len(curve), vibrato, 5.3, starts[k - 1]))
            out += np.float32(levels[k - 1]) * tone * np.exp(-np.float32(damping * (k - 1) * 0.5) * time)
        return out * curve * np.float32(velocity)

    return play


def subtractive(rng: np.random.Generator, role: str) -> Voice:
    """Two detuned saws or pulses through a low-pass whose cutoff follows an envelope."""
    detune = float(rng.uniform(0.0, 0.008))
    pulse = rng.random() < 0.4
    width = float(rng.uniform(0.2, 0.5))
    cutoff = float(rng.uniform(400, 1500) if role == "bass" else rng.uniform(900, 5000))
    sweep, sweep_time = float(rng.uniform(0, 4)), float(rng.uniform(0.05, 0.5))
    shape, vibrato = _shape(rng, role), float(rng.choice([0.0, 0.0, 0.004]))
    start = float(rng.uniform(0, 2 * np.pi))

    def play(frequency: float, duration: float, velocity: float) -> Sound:
        curve = envelope(duration, *shape)
        time = np.arange(len(curve), dtype=np.float32) / RATE
        limit = cutoff * (1 + sweep * np.exp(-time / sweep_time) * velocity)
        out = np.zeros(len(curve), np.float32)
        for ratio in (1 - detune, 1 + detune):
            base = _phase(frequency * ratio, len(curve), vibrato, 5.0, start * ratio)
            for k in range(1, min(40, int(14000 / frequency)) + 1):
                level = np.sin(np.pi * k * width) / k if pulse else 1 / k
                if frequency * k > 4 * cutoff * (1 + sweep):
                    break
                # the magnitude of a two-pole low-pass at the harmonic's frequency
                gain = 1 / (1 + (frequency * k / limit) ** 2)
                out += (level * gain).astype(np.float32) * np.sin(k * base)
        return out * curve * np.float32(velocity * 0.5)

    return play


def modulated(rng: np.random.Generator, role: str) -> Voice:
    """Two-operator frequency modulation: electric pianos, bells, synthetic basses and brass."""
    ratio = float(rng.choice([0.5, 1.0, 1.0, 2.0, 3.0] if role == "bass" else [1.0, 2.0, 3.0, 3.5, 7.0, 14.0]))
    index, index_time = float(rng.uniform(0.5, 4.0)), float(rng.uniform(0.1, 0.8))
    if ratio > 4:
        index *= 0.3
    shape = _shape(rng, role)

    def play(frequency: float, duration: float, velocity: float) -> Sound:
        curve = envelope(duration, *shape)
        time = np.arange(len(curve), dtype=np.float32) / RATE
        depth = index * velocity * np.exp(-time / index_time) + 0.1
        carrier = 2 * np.pi * frequency * time
        return np.asarray(np.sin(carrier + depth * np.sin(ratio * carrier)) * curve * velocity, np.float32)

    return play


def plucked(rng: np.random.Generator, role: str) -> Voice:
    """Karplus-Strong string: a noise burst in a damped delay line with one-pole loss."""
    bright = float(rng.uniform(0.3, 0.9))
    decay = float(rng.uniform(0.5, 3.0))
    release = float(rng.uniform(0.05, 0.2))
    seed = int(rng.integers(1 << 31))

    def play(frequency: float, duration: float, velocity: float) -> Sound:
        length = int((duration + release) * RATE) + 1
        period = RATE / frequency - 0.5
        delay = int(period)
        burst = np.random.default_rng(seed).uniform(-1, 1, delay)
        burst = lfilter([bright], [1, bright - 1], burst)
        excitation = np.zeros(length)
        excitation[:delay] = (burst - burst.mean())[:length]
        loss = 10 ** (-3 * (delay / RATE) / decay)  # -60 dB after `decay` seconds
        lag = period - delay
        loop = np.zeros(delay + 3)
        loop[0] = 1
        # linear interpolation tunes the delay, the two-point mean damps the highs
        loop[delay] -= loss * 0.5 * (1 - lag)
        loop[delay + 1] -= loss * 0.5
        loop[delay + 2] -= loss * 0.5 * lag
        out: Sound = lfilter([1.0], loop, excitation).astype(np.float32)
        fade = int(release * RATE)
        out[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
        return out * np.float32(velocity * 1.5)

    return play
