"""What the order of a track's chords says of its key: how much of each, what phrases begin and end with, and what
follows what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.audio.analysis.chords import SILENCE

Shares = NDArray[np.float64]


@dataclass(frozen=True)
class Progression:
    """Shares of the 24 triads, majors from C on, then minors: of the time, of the phrases' first bars, of their last
    ones. `changes` [24, 24] are the shares of all changes, from the triad of the row to that of the column.
    """

    shares: Shares
    openings: Shares
    closings: Shares
    changes: Shares


def progression(triads: NDArray[np.int64], phrase: int, bar: int, first: int = 0) -> Progression:
    """Of the triad of each beat, in phrases of so many beats; `first` is the beat that starts a bar. Beats without a
    triad (`chords.SILENCE`) say nothing."""
    place = (np.arange(len(triads)) - first) % phrase
    edges = np.flatnonzero(np.diff(triads))
    edges = edges[(triads[edges] != SILENCE) & (triads[edges + 1] != SILENCE)]
    changes = np.zeros((24, 24))
    np.add.at(changes, (triads[edges], triads[edges + 1]), 1 / max(1, len(edges)))
    return Progression(_shares(triads), _shares(triads[place < bar]), _shares(triads[place >= phrase - bar]), changes)


def _shares(triads: NDArray[np.int64]) -> Shares:
    triads = triads[triads != SILENCE]
    return np.bincount(triads, minlength=24) / max(1, len(triads))
