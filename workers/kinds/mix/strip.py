"""A channel strip: what is done to one track before it comes to the sum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stemsvc.kinds.mix import TrackParams
from workers.audio.filters import Chain, Filter, bell, compressor, shelf
from workers.audio.track import CHANNELS, Track

LOW_HZ, MID_HZ, HIGH_HZ = 150.0, 1000.0, 6000.0
MID_Q = 0.7
Samples = NDArray[np.float64]


def factor(gain_db: float) -> float:
    """A gain as a factor; exactly 1 for 0 dB."""
    return float(10 ** (gain_db / 20))


def pan_factors(pan: float, law: str) -> tuple[float, float]:
    """The factors of the left and the right channel; exactly 1 at the centre."""
    if pan == 0:
        return 1.0, 1.0
    if law == "constant_power":  # sine and cosine, which are 3 dB down at the centre, lifted by those 3 dB
        angle = (pan + 1) * np.pi / 4
        return float(np.sqrt(2) * np.cos(angle)), float(np.sqrt(2) * np.sin(angle))
    return min(1.0, 1.0 - pan), min(1.0, 1.0 + pan)


class Placed:
    """A track from the sample `first` of the mix on; before and after it there is silence."""

    def __init__(self, track: Track, first: int) -> None:
        self.track = track
        self.first = first

    @property
    def end(self) -> int:
        """The sample of the mix behind its last one."""
        return self.first + self.track.frames

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """Which samples of the track are heard from `start` to `stop` of the mix."""
        return max(0, start - self.first), min(self.track.frames, stop - self.first)

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The samples [stop - start, 2] of the mix, silence where it does not sound."""
        low, high = self.span(start, stop)
        if (low, high) == (start - self.first, stop - self.first):
            return self.track.read(low, high)
        found = np.zeros((stop - start, CHANNELS), np.float32)
        if low < high:
            found[low + self.first - start : high + self.first - start] = self.track.read(low, high)
        return found


class Strip:
    """Equaliser, compressor, sidechain, level and fades, pan, in this order. Blocks are read one after the other.

    `more_db` is a gain beside the track's own. The key of the sidechain is another track as it came, at its own place.
    """

    def __init__(self, placed: Placed, params: TrackParams, law: str, key: Placed | None, more_db: float = 0.0) -> None:
        self._placed = placed
        self._params = params
        self._key = key
        rate, chain, keyed = placed.track.sample_rate, _filters(params), None
        if params.sidechain is not None:
            own = params.sidechain
            keyed = compressor(own.threshold_db, own.ratio, own.attack_ms, own.release_ms, name="sidechaincompress")
        self._chain = Chain(rate, chain, keyed)
        self.gain_db = params.gain_db + more_db
        left, right = pan_factors(params.pan, law)
        level = factor(self.gain_db)
        self._factors = np.array([left * level, right * level])
        self._fades = round(params.fade_in * rate), round(params.fade_out * rate)

    def read(self, start: int, stop: int) -> tuple[int, Samples] | None:
        """Where in the mix its next samples [n, 2] begin, between `start` and `stop`; None where it is silent."""
        low, high = self._placed.span(start, stop)
        if low >= high:
            return None
        first = low + self._placed.first
        key = self._key.read(first, first + high - low) if self._key else None
        samples = self._chain.process(self._placed.track.read(low, high), key).astype(np.float64)
        if (self._factors != 1).any():
            samples *= self._factors
        if any(self._fades):
            samples *= self._fade(low, high)[:, None]
        return first, samples

    def _fade(self, low: int, high: int) -> Samples:
        """The fades' level for these samples of the track: linear, each over its own length."""
        at, (rise, fall) = np.arange(low, high), self._fades
        level = np.ones(high - low)
        if rise:
            level *= np.clip(at / rise, 0, 1)
        if fall:
            level *= np.clip((self._placed.track.frames - 1 - at) / fall, 0, 1)
        return level


def _filters(params: TrackParams) -> Sequence[Filter]:
    found: list[Filter] = []
    if (eq := params.eq) is not None:
        bands = (
            (eq.low, shelf("lowshelf", LOW_HZ, eq.low)),
            (eq.mid, bell(MID_HZ, MID_Q, eq.mid)),
            (eq.high, shelf("highshelf", HIGH_HZ, eq.high)),
        )
        found += [each for gain_db, each in bands if gain_db]
    if (own := params.compressor) is not None and (own.ratio > 1 or own.makeup_db):
        found.append(compressor(own.threshold_db, own.ratio, own.attack_ms, own.release_ms, own.makeup_db))
    return found
