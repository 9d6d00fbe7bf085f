"""A hall for signals that come in blocks: convolution with a decaying noise, whose tail goes on in the next block."""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import butter, sosfilt

from workers.kinds.generate.sketch.voices import RATE, Sound

PREDELAY = 0.018  # seconds


class Room:
    """The wet part of one signal [n, 2]; `seconds` is the time in which the hall falls by 60 dB."""

    def __init__(self, seconds: float, block: int) -> None:
        time = np.arange(round(seconds * RATE)) / RATE
        noise = np.random.default_rng(2025).standard_normal((2, len(time))) * np.exp(-6.9 * time / seconds)
        noise = sosfilt(butter(1, [250, 6500], "bandpass", fs=RATE, output="sos"), noise, axis=1)
        response = np.concatenate([np.zeros((2, round(PREDELAY * RATE))), noise], axis=1)
        response /= np.sqrt((response**2).sum(axis=1, keepdims=True))
        self._size = next_fast_len(block + response.shape[1])
        self._spectrum = rfft(response.astype(np.float32), self._size, axis=1)
        self._tail = np.zeros((self._size - block, 2), np.float32)

    def process(self, dry: Sound) -> Sound:
        """What the hall makes of the next block [block, 2], which may be the shorter last one."""
        wet = irfft(rfft(dry.T, self._size, axis=1) * self._spectrum, self._size, axis=1).T.astype(np.float32)
        wet[: len(self._tail)] += self._tail
        self._tail = wet[len(dry) : len(dry) + len(self._tail)]
        return np.asarray(wet[: len(dry)], np.float32)
