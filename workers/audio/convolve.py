"""Convolution of a stereo signal with a short answer, block by block, by overlap and add."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workers.audio.track import CHANNELS

BLOCK = 1 << 15  # frames that are convolved at a time
Sound = NDArray[np.float32]


class Convolver:
    """Convolves one signal with the `answer` [n, 2]. Memory depends on the answer's length alone."""

    def __init__(self, answer: Sound) -> None:
        self.frames = len(answer)  # by which the sound outlasts the signal
        self._size = 1 << (BLOCK + len(answer) - 1).bit_length()
        self._answer = np.fft.rfft(answer, self._size, axis=0)
        self._rest = np.zeros((0, CHANNELS))

    def process(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """The next samples [n, 2], for as many of the signal."""
        parts = [self._process(samples[at : at + BLOCK]) for at in range(0, len(samples), BLOCK)]
        return np.concatenate(parts) if parts else samples

    def _process(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        made = np.fft.irfft(np.fft.rfft(samples, self._size, axis=0) * self._answer, self._size, axis=0)
        made = made[: max(len(samples) + self.frames - 1, len(self._rest))]
        made[: len(self._rest)] += self._rest
        self._rest = made[len(samples) :]
        return made[: len(samples)]


def minimum_phase(gains: NDArray[np.float64]) -> NDArray[np.float64]:
    """The shortest answer [n] that has these gains at the n/2 + 1 frequencies of an FFT of n: it delays nothing.

    By the real cepstrum (Oppenheim and Schafer, Discrete-Time Signal Processing, chapter on cepstra).
    """
    size = 2 * (len(gains) - 1)
    cepstrum = np.fft.irfft(np.log(np.maximum(gains, 1e-8)), size)
    folded = np.concatenate([cepstrum[:1], 2 * cepstrum[1 : size // 2], cepstrum[size // 2 : size // 2 + 1]])
    return np.fft.irfft(np.exp(np.fft.rfft(folded, size)), size)
