"""Bars: how many beats one has, and with which beat it starts.

Harmony changes, the bass and the kick come on a bar's first beat; the snare comes between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.audio.analysis import chroma, onsets
from workers.audio.analysis.pulse import TICKS, Tick, quiet

# How far each of the marks of `features` lies above its mean at each half beat of a bar, as averages of songs have it.
PATTERNS = {
    4: (
        (0.60, 0.25, -0.10, -0.30, -0.45, -0.35, 0.00, 0.35),  # change of harmony
        (0.90, 0.20, -0.55, -0.75, -0.40, -0.25, 0.15, 0.70),  # change of bass
        (1.60, -0.90, -0.50, 0.00, 0.30, 0.00, -0.50, 0.00),  # low onsets
        (1.80, -0.70, -0.10, -0.40, 0.10, -0.50, 0.00, -0.20),  # middle onsets
        (0.80, -0.60, 0.25, -0.50, 0.15, -0.40, 0.60, -0.30),  # high onsets
    ),
    3: (
        (0.60, 0.25, -0.40, -0.60, -0.20, 0.35),
        (0.90, 0.20, -0.65, -0.80, -0.10, 0.45),
        (1.60, -0.60, -0.40, -0.20, -0.30, -0.10),
        (1.60, -0.60, -0.10, -0.45, 0.00, -0.45),
        (0.60, -0.50, 0.20, -0.40, 0.50, -0.40),
    ),
}
USUAL = 4
THREE = 0.25  # by how much three beats must fit better than four
JUMP = 30.0  # what a bar that breaks off costs; twice that where it breaks off between two beats
LEAST_BARS = 3


@dataclass(frozen=True)
class Bars:
    """Numbers of the half beats that are beats, of those that start a bar, the time signature, and how well it fits."""

    beats: NDArray[np.int64]
    downbeats: NDArray[np.int64]
    time_signature: str | None
    fit: float = 0.0


def find_bars(
    halves: NDArray[np.float64], flux: NDArray[np.float32], tones: NDArray[np.float32], on_tick: Tick = quiet
) -> Bars:
    """The bars of a track whose half beats are at `halves`, in seconds, by onsets [frames, 3] and chroma [frames, 24].

    Half of them are beats: which half is found here too. `on_tick` is called many times a second.
    """
    if len(halves) < 2 * LEAST_BARS * USUAL:
        return Bars(np.arange(0, len(halves), 2), np.zeros(0, np.int64), None)
    marks = features(halves, flux, tones)
    found = {meter: marks @ _pattern(meter) for meter in PATTERNS}
    fits = {meter: _best_fit(each) for meter, each in found.items()}
    meter = 3 if fits[3] > fits[4] + THREE else USUAL
    place = _places(found[meter], on_tick)
    return Bars(np.flatnonzero(place % 2 == 0), np.flatnonzero(place == 0), f"{meter}/4", fits[meter])


def _pattern(meter: int) -> NDArray[np.float64]:
    """[marks, places], with as much power for each place in every meter."""
    found = np.array(PATTERNS[meter])
    return np.asarray(found / np.sqrt((found**2).sum() / found.shape[1]))


def _best_fit(found: NDArray[np.float64]) -> float:
    """Mean of the best phase's fit, for bars that never break off."""
    places = found.shape[1]
    return max(
        float(found[np.arange(len(found)), (np.arange(len(found)) + phase) % places].mean()) for phase in range(places)
    )


def _places(found: NDArray[np.float64], on_tick: Tick) -> NDArray[np.int64]:
    """The place in its bar of each half beat, by Viterbi's algorithm over the fits [half beats, places]."""
    count, places = found.shape
    score, jumped = found[0].copy(), np.full((count, places), -1, np.int64)
    for at in range(1, count):
        if at % TICKS == 0:
            on_tick()
        follow = np.roll(score, 1)
        for parity in range(2):  # of the place after the jump; the place before it has the other one
            best = 1 - parity + 2 * int(score[1 - parity :: 2].argmax())
            astray = parity + 2 * int(score[parity::2].argmax())
            if score[astray] - JUMP > score[best]:
                best = astray
            jump = score[best] - (2 * JUMP if best == astray else JUMP)
            these = slice(parity, places, 2)
            jumped[at, these] = np.where(jump > follow[these], best, -1)
            follow[these] = np.maximum(follow[these], jump)
        score = follow + found[at]
    place = np.zeros(count, np.int64)
    here = int(score.argmax())
    for at in range(count - 1, -1, -1):
        place[at] = here
        here = int(jumped[at, here]) if jumped[at, here] >= 0 else (here - 1) % places
    return place


def features(times: NDArray[np.float64], flux: NDArray[np.float32], tones: NDArray[np.float32]) -> NDArray[np.float64]:
    """For each time change of harmony, change of bass, and onsets low, middle and high: [times, 5], spread alike."""
    step = by_beat(tones, times, chroma.FRAME_RATE)
    at = np.round(times * onsets.FRAME_RATE).astype(int)
    near = np.stack([flux[np.clip(at + by, 0, len(flux) - 1)] for by in range(-3, 4)]).max(axis=0)
    columns = np.column_stack([change(step[:, :12]), change(step[:, 12:]), near]).astype(np.float64)
    return np.asarray((columns - columns.mean(axis=0)) / (columns.std(axis=0) + 1e-6))


def by_beat(tones: NDArray[np.float32], times: NDArray[np.float64], rate: float) -> NDArray[np.float32]:
    """Mean of the frames [frames, n] from each beat to the next: [beats, n]."""
    edges = np.clip(np.round(np.append(times, times[-1] + np.median(np.diff(times))) * rate).astype(int), 0, len(tones))
    total = np.concatenate([np.zeros((1, tones.shape[1])), np.cumsum(tones, axis=0, dtype=np.float64)])
    count = np.maximum(1, np.diff(edges))[:, None]
    return np.asarray((total[edges[1:]] - total[edges[:-1]]) / count, np.float32)


def change(step: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much four steps from each one on differ from the four before: 1 less the cosine."""
    total = np.cumsum(np.pad(step, ((5, 4), (0, 0))), axis=0, dtype=np.float64)
    sums = total[4:] - total[:-4]
    behind, ahead = sums[: len(step)], sums[4 : 4 + len(step)]
    size = np.linalg.norm(ahead, axis=1) * np.linalg.norm(behind, axis=1)
    return np.asarray(np.where(size > 1e-6, 1 - (ahead * behind).sum(axis=1) / np.maximum(size, 1e-9), 0), np.float32)
