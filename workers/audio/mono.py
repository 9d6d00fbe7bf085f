"""A track as the trackers hear it: mono, 22,050 Hz, on the scratch disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.audio.rate import CHUNK, RateConverter
from workers.audio.track import Track, scratch_errors

RATE = 22_050
HOP = 256  # samples between the frames of all features: 11.6 ms
SILENT = 1e-4  # -80 dB of full scale: a track that is nowhere louder has no notes
Wave = NDArray[np.float32]


@dataclass(frozen=True)
class Sound:
    """float32 samples at `RATE` in the file `path`. `peak` is the largest magnitude, as a share of full scale."""

    path: Path
    samples: int
    peak: float

    @property
    def frames(self) -> int:
        """How many frames of `HOP` samples there are."""
        return -(-self.samples // HOP)

    def read(self, start: int, stop: int) -> Wave:
        """The samples [stop - start]. What lies outside the track is silence."""
        found = np.zeros(stop - start, np.float32)
        first, last = max(0, start), min(stop, self.samples)
        if first < last:
            found[first - start : last - start] = np.fromfile(self.path, np.float32, last - first, offset=first * 4)
        return found


def listen(track: Track, path: Path, on_tick: Callable[[], None]) -> Sound:
    """The track's two channels as their mean, in the file `path`.

    Raises `TransientError` `scratch_full` and what `on_tick` raises.
    """
    converter, samples, peak = RateConverter(track.sample_rate, RATE), 0, 0.0
    with scratch_errors(), path.open("wb") as file:
        for start in range(0, track.frames + 1, CHUNK):
            on_tick()
            piece = track.read(start, min(start + CHUNK, track.frames))
            mean = np.repeat(piece.mean(axis=1, keepdims=True), 2, axis=1)
            heard = converter.convert(mean)
            if start + CHUNK >= track.frames:
                heard = np.concatenate([heard, converter.finish()])
            mono = np.ascontiguousarray(heard[:, 0], np.float32)
            samples, peak = samples + len(mono), max(peak, float(np.abs(mono).max(initial=0.0)))
            file.write(mono.tobytes())
            if start + CHUNK >= track.frames:
                break
    return Sound(path, samples, peak)
