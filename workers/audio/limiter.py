"""A look-ahead limiter, whose gain follows from the true peaks of `PeakEnvelope`.

The gain of a hop is the least that any peak within the look-ahead needs. It comes back at so many dB a second, is
averaged over the look-ahead, and goes in straight lines from hop to hop. Each of these steps keeps it below what each
hop needs, so no peak can pass (the scheme is that of D. Giannoulis, M. Massberg and J. Reiss, JAES 60(6), 2012, with
the look-ahead of a sliding minimum).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from workers.audio.peak_envelope import HOP

LOOK_AHEAD = 0.004  # seconds
RELEASE = 90.0  # dB a second
Gains = NDArray[np.float64]


class Limiter:
    """Limits one signal, whose peaks are float32 in the file `peaks`, to `ceiling_db` after a gain of `gain_db`.

    Blocks are asked for one after the other. `most_db` is the most that it has taken away so far, `held` the number of
    hops in which it took something.
    """

    def __init__(self, peaks: Path, rate: int, gain_db: float, ceiling_db: float) -> None:
        self._peaks = peaks
        self._hops = peaks.stat().st_size // 4
        self._gain_db = gain_db
        self._ceiling_db = ceiling_db
        self._ahead = max(1, round(LOOK_AHEAD * rate / HOP))
        self._rise = RELEASE * HOP / rate  # dB a hop
        self._recent: Gains | None = None  # of the gains before they are averaged, those of the last hops
        self._before = 0.0  # the last one of them
        self._last = 0.0  # averaged
        self._frac = np.arange(HOP) / HOP
        self.most_db = 0.0
        self.held = 0

    @property
    def share(self) -> float:
        """In what share of the hops it took something away."""
        return self.held / max(1, self._hops)

    def process(self, samples: NDArray[np.float32], first: int) -> NDArray[np.float32]:
        """The samples [n, 2] from the sample `first` on, a multiple of `HOP`, with the gain and limited."""
        start, count = first // HOP, -(-len(samples) // HOP)
        edges = 10 ** ((self._edges(start, start + count) + self._gain_db) / 20)
        gains = (edges[:-1, None] + np.diff(edges)[:, None] * self._frac).reshape(-1)[: len(samples)]
        return np.asarray(samples * gains[:, None], np.float32)

    def _edges(self, start: int, stop: int) -> Gains:
        """The gain in dB at the hops' edges [stop - start + 1]."""
        needed = self._needed(start, stop + 1 + self._ahead)
        least = sliding_window_view(needed, self._ahead + 1).min(axis=1)  # of hops start to stop, and one more
        if self._recent is None:  # before the first hop, the gain waits for it
            self._recent = np.full(self._ahead - 1, least[0])
            self._before = self._last = float(least[0])
        steps = np.arange(1, len(least) + 1) * self._rise
        rising = np.minimum(np.minimum.accumulate(least - steps), self._before) + steps
        self._before = float(rising[-2])
        joined = np.concatenate([self._recent, rising])
        mean = sliding_window_view(joined, self._ahead).mean(axis=1)
        self._recent = joined[len(joined) - self._ahead : -1]
        edges: Gains = np.minimum(np.concatenate([[self._last], mean[:-1]]), mean)
        self._last = float(mean[-2])
        self.most_db = max(self.most_db, -float(mean[:-1].min()))
        self.held += int(np.count_nonzero(mean[:-1] < -0.01))
        return edges

    def _needed(self, start: int, stop: int) -> Gains:
        """The gain in dB that each hop needs; none beyond the end."""
        count = max(0, min(stop, self._hops) - start)
        peaks = np.fromfile(self._peaks, np.float32, count, offset=start * 4).astype(np.float64)
        needed = np.zeros(stop - start)
        loud = self._ceiling_db - self._gain_db - 20 * np.log10(np.maximum(peaks, 1e-9))
        needed[:count] = np.minimum(0.0, loud)
        return needed
