"""A hall: convolution with a decaying noise that is made from a fixed seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workers.audio.convolve import Convolver
from workers.audio.track import CHANNELS

SEED = 20_260_113
DARK_HZ = 5000.0  # a hall swallows what is above
THIN_HZ = 180.0  # and a mix has no room for a hall below
Sound = NDArray[np.float32]


def impulse(rate: int, seconds: float, predelay_ms: float) -> Sound:
    """The hall's answer to a click [n, 2], of unit energy in each channel; 60 dB down after `seconds`."""
    frames, silent = max(1, round(seconds * rate)), round(predelay_ms / 1000 * rate)
    noise = np.random.default_rng(SEED).standard_normal((frames, CHANNELS))
    noise *= 10 ** (-3 * np.arange(frames) / frames)[:, None]
    spectrum = np.fft.rfft(noise, axis=0)
    frequency = np.fft.rfftfreq(frames, 1 / rate)[:, None]
    spectrum *= (frequency / np.hypot(frequency, THIN_HZ)) / np.hypot(1, frequency / DARK_HZ)
    made = np.fft.irfft(spectrum, frames, axis=0)
    made /= np.maximum(np.sqrt(np.square(made).sum(axis=0)), 1e-12)
    return np.concatenate([np.zeros((silent, CHANNELS)), made]).astype(np.float32)


class Hall(Convolver):
    """The hall's sound of one signal."""

    def __init__(self, rate: int, seconds: float, predelay_ms: float) -> None:
        super().__init__(impulse(rate, seconds, predelay_ms))
