"""The mixing desk: strips, halls, the sum and the profile, as blocks that come one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from stemsvc.kinds.mix import MixParams, Reverb
from workers.audio.filters import Chain, Filter, shelf
from workers.audio.hall import Hall
from workers.audio.track import CHANNELS
from workers.kinds.mix.strip import Placed, Samples, Strip, factor

BLOCK = 1 << 16  # frames
PROFILES: dict[str, tuple[Filter, ...]] = {
    "none": (),
    "balanced": (),  # its gains are the strips'
    "bass-heavy": (shelf("lowshelf", 100, 4),),
    "bright": (shelf("highshelf", 8000, 3),),
    "warm": (shelf("lowshelf", 250, 2), shelf("highshelf", 6000, -2)),
}


class Desk:
    """A mix of tracks that have one rate. `balance_db` has a gain for each track beside its own."""

    def __init__(self, placed: Sequence[Placed], params: MixParams, balance_db: Sequence[float]) -> None:
        self._params = params
        self._rate = placed[0].track.sample_rate
        self.strips: dict[int, Strip] = {}
        self._halls: dict[tuple[float, float], Hall] = {}
        for number, each in enumerate(params.tracks):
            if params.audible(number):
                key = params.key(number)
                followed = placed[key] if key is not None else None
                self.strips[number] = Strip(placed[number], each, params.pan_law, followed, balance_db[number])
                if (reverb := each.reverb) is not None and reverb.amount:
                    self._halls.setdefault(_hall(reverb), Hall(self._rate, *_hall(reverb)))
        tails = max((hall.frames for hall in self._halls.values()), default=0)
        self.frames = max(each.end for each in placed) + tails
        self._shape = Chain(self._rate, PROFILES[params.profile])

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The mix, in blocks [n, 2] from its first sample to its last one."""
        level = factor(self._params.gain_db)
        for start in range(0, self.frames, BLOCK):
            total = self._sum(start, min(start + BLOCK, self.frames))
            shaped = self._shape.process(total.astype(np.float32))
            yield shaped if level == 1 else (shaped * level).astype(np.float32)

    def _sum(self, start: int, stop: int) -> Samples:
        # whole blocks are assigned before anything is added: 0.0 + -0.0 would be 0.0, and a single track must stay
        total: Samples | None = None
        sends = {key: np.zeros((stop - start, CHANNELS)) for key in self._halls}
        for number, strip in self.strips.items():
            if (found := strip.read(start, stop)) is None:
                continue
            first, samples = found
            place = slice(first - start, first - start + len(samples))
            if total is None and len(samples) == stop - start:
                total = samples
            else:
                total = np.zeros((stop - start, CHANNELS)) if total is None else total
                total[place] += samples
            if (reverb := self._params.tracks[number].reverb) is not None and reverb.amount:
                sends[_hall(reverb)][place] += reverb.amount * samples
        total = np.zeros((stop - start, CHANNELS)) if total is None else total
        for key, hall in self._halls.items():
            total = total + hall.process(sends[key])
        return total


def _hall(reverb: Reverb) -> tuple[float, float]:
    """What tracks must have in common to share a hall."""
    return reverb.seconds, reverb.predelay_ms
