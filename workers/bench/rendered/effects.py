"""What a mixing desk does to a stem: equaliser, compression, saturation, chorus, echo, reverb, stereo width.

Every function takes and returns float32 [2, samples] at `RATE`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from stemsvc.demo.voices import RATE, Sound

Effect = Callable[[np.random.Generator, Sound], Sound]


def equalise(rng: np.random.Generator, sound: Sound) -> Sound:
    """One to three peaks of up to 9 dB (Bristow-Johnson's audio EQ cookbook), sometimes a high or low cut."""
    for _ in range(int(rng.integers(1, 4))):
        w = 2 * np.pi * float(np.exp(rng.uniform(np.log(60), np.log(12000)))) / RATE
        gain = 10 ** (float(rng.uniform(-9, 9)) / 40)
        alpha = np.sin(w) / (2 * float(rng.uniform(0.4, 2.0)))
        b = np.array([1 + alpha * gain, -2 * np.cos(w), 1 - alpha * gain])
        a = np.array([1 + alpha / gain, -2 * np.cos(w), 1 - alpha / gain])
        sound = lfilter(b / a[0], a / a[0], sound, axis=1)
    if rng.random() < 0.2:
        sound = sosfilt(butter(2, float(rng.uniform(3000, 14000)), fs=RATE, output="sos"), sound, axis=1)
    return np.asarray(sound, np.float32)


def compress(rng: np.random.Generator, sound: Sound) -> Sound:
    """Feed-forward compression of both channels together, ratio 2 to 8."""
    time = float(rng.uniform(0.005, 0.08))
    pole = np.exp(-1 / (time * RATE))
    power = lfilter([1 - pole], [1, -pole], (sound**2).mean(axis=0))
    level = 10 * np.log10(np.maximum(power, 1e-10))
    over = np.maximum(0, level - (float(np.percentile(level, 90)) - float(rng.uniform(3, 15))))
    return np.asarray(sound * 10 ** (-over * (1 - 1 / float(rng.uniform(2, 8))) / 20), np.float32)


def saturate(rng: np.random.Generator, sound: Sound) -> Sound:
    """A soft clipper, from tape to fuzz; uneven, so that even harmonics appear."""
    level = max(1e-6, float(np.sqrt((sound**2).mean())))
    drive, bias = float(np.exp(rng.uniform(np.log(0.15), np.log(3.0)))) / level, float(rng.uniform(-0.3, 0.3))
    return np.asarray((np.tanh(sound * drive + bias) - np.tanh(bias)) / drive, np.float32)


def chorus(rng: np.random.Generator, sound: Sound) -> Sound:
    """The sound beside itself through a delay that swings by some milliseconds, differently left and right."""
    time = np.arange(sound.shape[1])
    rate, depth, base = rng.uniform(0.1, 2.5), rng.uniform(0.5, 4) * RATE / 1000, rng.uniform(5, 25) * RATE / 1000
    wet = np.stack(
        [
            np.interp(time - base - depth * np.sin(2 * np.pi * rate * time / RATE + phase), time, channel)
            for channel, phase in zip(sound, (0.0, rng.uniform(0, np.pi)), strict=True)
        ]
    )
    return (sound + float(rng.uniform(0.3, 0.9)) * wet).astype(np.float32)


def echo(rng: np.random.Generator, sound: Sound) -> Sound:
    """Repeats that die away, from side to side or in place."""
    gap, fall = int(rng.uniform(0.12, 0.6) * RATE), float(rng.uniform(0.15, 0.5))
    out, repeat = sound.copy(), sound
    swap = rng.random() < 0.5
    for _ in range(4):
        repeat = fall * np.pad(repeat, ((0, 0), (gap, 0)))[:, : sound.shape[1]]
        repeat = repeat[::-1] if swap else repeat
        out = out + repeat
    return out.astype(np.float32)


def reverberate(rng: np.random.Generator, sound: Sound) -> Sound:
    """A room of 0.2 to 2.5 s whose highs die first."""
    length = float(np.exp(rng.uniform(np.log(0.2), np.log(2.5))))
    time = np.arange(int(length * RATE)) / RATE
    room = rng.normal(0, 1, (2, len(time)))
    dull = sosfilt(butter(1, float(rng.uniform(1500, 8000)), fs=RATE, output="sos"), room, axis=1)
    room = room * np.exp(-14 * time / length) + dull * np.exp(-6.9 * time / length)
    room = np.pad(room, ((0, 0), (int(rng.uniform(0, 0.05) * RATE), 0)))
    room /= np.sqrt((room**2).sum(axis=1, keepdims=True))
    wet = fftconvolve(sound, room, axes=1)[:, : sound.shape[1]]
    return np.asarray(sound + float(np.exp(rng.uniform(np.log(0.05), np.log(0.7)))) * wet, np.float32)


def widen(rng: np.random.Generator, sound: Sound) -> Sound:
    """Scale the side against the middle, and lean to one side."""
    middle, side = sound.mean(axis=0), (sound[0] - sound[1]) / 2 * float(rng.uniform(0, 1.6))
    lean = float(rng.uniform(-0.4, 0.4)) if rng.random() < 0.6 else 0.0
    return np.stack([(middle + side) * (1 - lean), (middle - side) * (1 + lean)]).astype(np.float32)


# effect and how often each stem gets it, in the order of a desk's signal path
CHAINS: dict[str, tuple[tuple[Effect, float], ...]] = {
    "drums": ((saturate, 0.25), (equalise, 0.6), (compress, 0.5), (reverberate, 0.4), (widen, 0.5)),
    "bass": ((saturate, 0.4), (equalise, 0.6), (compress, 0.4), (chorus, 0.1), (reverberate, 0.1), (widen, 0.2)),
    "other": (
        *((saturate, 0.25), (equalise, 0.6), (compress, 0.3), (chorus, 0.25)),
        *((echo, 0.15), (reverberate, 0.5), (widen, 0.7)),
    ),
    "vocals": (
        *((saturate, 0.15), (equalise, 0.6), (compress, 0.5), (chorus, 0.15)),
        *((echo, 0.2), (reverberate, 0.6), (widen, 0.3)),
    ),
}


def treat(rng: np.random.Generator, stem: str, sound: Sound) -> Sound:
    """Pass a stem through the effects that are drawn for it. What lies below 20 Hz goes: clipping leaves some."""
    for effect, share in CHAINS[stem]:
        if rng.random() < share:
            sound = effect(rng, sound)
    return np.asarray(sosfilt(butter(2, 20, "highpass", fs=RATE, output="sos"), sound, axis=1), np.float32)
