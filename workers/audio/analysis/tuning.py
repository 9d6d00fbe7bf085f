"""How far a track's instruments are tuned from A4 = 440 Hz."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workers.audio.analysis.chroma import LONG, RATE
from workers.audio.analysis.spectra import Mono, Spectra

LOWEST, HIGHEST = 100.0, 2000.0  # Hz of the partials that are looked at
PROMINENT = 8.0  # times the median of its frame: a partial
LEAST_AGREEMENT = 0.15  # of the partials' deviations, from 0 to 1, to say anything
CONCERT = 440.0  # Hz


class TuningMeter:
    """Collects the deviations of spectral peaks from the semitones of concert pitch, from mono excerpts at `RATE`."""

    def __init__(self) -> None:
        self._sum, self._weight = 0j, 0.0

    def add(self, excerpt: Mono) -> None:
        """Look at one excerpt; each stands for itself."""
        spectra = Spectra(LONG, LONG // 4)
        for magnitudes in spectra.add(excerpt):
            self._note(magnitudes)

    def _note(self, magnitudes: NDArray[np.float32]) -> None:
        hertz = np.fft.rfftfreq(LONG, 1 / RATE)
        inside = slice(int(LOWEST / hertz[1]), int(HIGHEST / hertz[1]))
        level = np.log(magnitudes[:, inside.start - 1 : inside.stop + 1] + 1e-9)
        left, here, right = level[:, :-2], level[:, 1:-1], level[:, 2:]
        floor = np.median(here, axis=1, keepdims=True) + np.log(PROMINENT)
        row, column = np.nonzero((here > left) & (here >= right) & (here > floor))
        top, before, after = here[row, column], left[row, column], right[row, column]
        shift = 0.5 * (before - after) / np.minimum(before - 2 * top + after, -1e-9)
        pitch = 12 * np.log2((inside.start + column + shift) * hertz[1] / CONCERT)
        weight = np.sqrt(np.exp(top))
        self._sum += complex((weight * np.exp(2j * np.pi * pitch)).sum())
        self._weight += float(weight.sum())

    @property
    def cents(self) -> float | None:
        """From -50 to 50 hundredths of a semitone above concert pitch; None where the partials don't agree."""
        if self._weight <= 0 or abs(self._sum) < LEAST_AGREEMENT * self._weight:
            return None
        return float(np.angle(self._sum) / (2 * np.pi) * 100)

    @property
    def hertz(self) -> float | None:
        """The pitch of A4; None where it can't be said."""
        return None if self.cents is None else round(CONCERT * 2 ** (self.cents / 1200), 2)
