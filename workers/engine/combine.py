"""Combines what several models make of the same stem: a weighted mean, or the quietest or loudest of each bin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from workers.engine.mixture import Sound

SIZE, HOP = 2048, 1024  # of the spectra that `min` and `max` compare, as in audio-separator's ensembles


class Combination(Protocol):
    """One stem's samples from each model, piece by piece."""

    def add(self, pieces: Sequence[Sound]) -> Sound:
        """Take the next samples of each model, [n, 2]; returns those that are complete."""

    def rest(self) -> Sound:
        """The samples that were not returned yet."""


def combination(how: str, weights: Sequence[float]) -> Combination:
    """The combination of that name."""
    return Mean(weights) if how == "average" else Spectral(how == "max")


class Mean:
    """The weighted mean of the samples."""

    def __init__(self, weights: Sequence[float]) -> None:
        self._weights = [np.float32(weight / sum(weights)) for weight in weights]

    def add(self, pieces: Sequence[Sound]) -> Sound:
        """See `Combination`."""
        if len(pieces) == 1:
            return pieces[0]
        total = pieces[0] * self._weights[0]
        for piece, weight in zip(pieces[1:], self._weights[1:], strict=True):
            total += piece * weight
        return total

    def rest(self) -> Sound:
        """See `Combination`."""
        return np.zeros((0, 2), np.float32)


class Spectral:
    """Of each bin the number with the smallest or the largest magnitude, with the phase that it has.

    The spectra are those of the whole track with silence around it. Only the frames that are not complete wait.
    """

    def __init__(self, loudest: bool) -> None:
        self._loudest = loudest
        self._window = torch.hann_window(SIZE, dtype=torch.float64)
        self._waiting: torch.Tensor | None = None  # [models, 2, n], from the next frame's first sample on
        self._sum = torch.zeros(2, SIZE, dtype=torch.float64)
        self._weight = torch.zeros(SIZE, dtype=torch.float64)
        self._taken = self._given = 0
        self._before = SIZE // 2  # samples before the track that must still be dropped

    def add(self, pieces: Sequence[Sound]) -> Sound:
        """See `Combination`."""
        new = torch.from_numpy(np.stack([np.ascontiguousarray(piece.T) for piece in pieces])).double()
        self._taken += new.shape[-1]
        return self._run(new)

    def rest(self) -> Sound:
        """See `Combination`."""
        if self._waiting is None:
            return np.zeros((0, 2), np.float32)
        return self._run(self._waiting.new_zeros(*self._waiting.shape[:2], 2 * SIZE))

    def _run(self, new: torch.Tensor) -> Sound:
        if self._waiting is None:  # half a frame of silence comes first: the first frame's middle is sample 0
            self._waiting = new.new_zeros(*new.shape[:2], SIZE // 2)
        self._waiting = torch.cat([self._waiting, new], dim=-1)
        out = []
        while self._waiting.shape[-1] >= SIZE:
            out.append(self._frame(self._waiting[..., :SIZE]))
            self._waiting = self._waiting[..., HOP:]
        if not out:
            return np.zeros((0, 2), np.float32)
        made = torch.cat(out, dim=-1)
        dropped = min(self._before, made.shape[-1])
        self._before -= dropped
        made = made[:, dropped:][:, : self._taken - self._given]
        self._given += made.shape[-1]
        return made.float().numpy().T

    def _frame(self, samples: torch.Tensor) -> torch.Tensor:
        """Add one frame and return the samples that no later one reaches, [2, HOP]."""
        z = torch.fft.rfft(samples * self._window)
        size = z.abs()
        chosen = (size.argmax(0) if self._loudest else size.argmin(0))[None]
        frame = torch.fft.irfft(z.gather(0, chosen)[0], n=SIZE) * self._window
        self._sum += frame
        self._weight += self._window.square()
        ready = self._sum[:, :HOP] / self._weight[:HOP].clamp(min=1e-10)
        self._sum = torch.cat([self._sum[:, HOP:], self._sum.new_zeros(2, HOP)], dim=-1)
        self._weight = torch.cat([self._weight[HOP:], self._weight.new_zeros(HOP)])
        return ready
