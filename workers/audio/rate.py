"""Converts sample rates with soxr, piece by piece or at once. Both give the same samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workers.audio.track import CHANNELS, Track, scratch_errors

if TYPE_CHECKING:
    import soxr

CHUNK = 1 << 16  # frames


class RateConverter:
    """Converts one stereo signal from rate `source` to `target`; equal rates pass through untouched."""

    def __init__(self, source: int, target: int) -> None:
        self._ratio = target / source
        self._stream: soxr.ResampleStream | None = None
        if source != target:
            import soxr  # here, because most decoders' processes need no conversion, and must start at once

            self._stream = soxr.ResampleStream(source, target, CHANNELS, dtype="float32", quality="VHQ")
        self._taken = self._given = 0

    def convert(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The converted samples [n, 2] that are ready; the filter holds some back."""
        self._taken += len(samples)
        ready = samples if self._stream is None else self._stream.resample_chunk(np.ascontiguousarray(samples))
        self._given += len(ready)
        return ready

    def finish(self, frames: int | None = None) -> NDArray[np.float32]:
        """The last samples [n, 2], cut or padded with silence: the whole output then has `frames`.

        By default the output lasts as long as the input.
        """
        rest = np.zeros((0, CHANNELS), np.float32)
        if self._stream is not None and self._taken:
            rest = self._stream.resample_chunk(rest, last=True)
        wanted = (round(self._taken * self._ratio) if frames is None else frames) - self._given
        self._given += wanted
        return rest[:wanted] if len(rest) >= wanted else np.pad(rest, ((0, wanted - len(rest)), (0, 0)))


def resample(samples: NDArray[np.float32], source: int, target: int, frames: int | None = None) -> NDArray[np.float32]:
    """Convert [n, 2] from rate `source` to `target`; cut or padded with silence to `frames` if given."""
    converter = RateConverter(source, target)
    return np.ascontiguousarray(np.concatenate([converter.convert(samples), converter.finish(frames)]), np.float32)


def resample_track(track: Track, rate: int, path: Path, on_tick: Callable[[], None] = lambda: None) -> Track:
    """The track at `rate`: itself, or a copy in the scratch file `path`.

    `on_tick` is called many times a second. Raises `TransientError` `scratch_full`, and what `on_tick` raises.
    """
    if rate == track.sample_rate:
        return track
    converter, frames = RateConverter(track.sample_rate, rate), 0
    with scratch_errors(), path.open("wb") as file:
        for chunk in _chunks(track, converter):
            on_tick()
            frames += len(chunk)
            file.write(np.ascontiguousarray(chunk).tobytes())
    return replace(track, path=path, sample_rate=rate, frames=frames)


def _chunks(track: Track, converter: RateConverter) -> Iterator[NDArray[np.float32]]:
    for start in range(0, track.frames, CHUNK):
        yield converter.convert(track.read(start, min(start + CHUNK, track.frames)))
    yield converter.finish()
