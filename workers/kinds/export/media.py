"""Wav files with exactly a track's samples, in as few bits as hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.audio.encode import Encoder
from workers.audio.track import Track
from workers.kinds.export.session import Media

BLOCK = 1 << 16  # frames
DEPTHS = {"16": 2.0**15, "24": 2.0**23}  # full scale of integers


def blocks(
    track: Track, on_tick: Callable[[], None], start: int = 0, stop: int | None = None
) -> Iterator[NDArray[np.float32]]:
    """The track's samples [n, 2] from frame `start` to `stop`, its end by default."""
    end = track.frames if stop is None else stop
    for at in range(start, end, BLOCK):
        on_tick()
        yield track.read(at, min(at + BLOCK, end))


def depth(track: Track, on_tick: Callable[[], None]) -> str:
    """The fewest bits that hold every sample: 16, 24 or float32."""
    left = list(DEPTHS)
    for block in blocks(track, on_tick):
        left = [each for each in left if _fits(block, DEPTHS[each])]
        if not left:
            return "float32"
    return left[0]


def _fits(block: NDArray[np.float32], scale: float) -> bool:
    scaled = block.astype(np.float64) * scale
    return bool(np.all(scaled == np.rint(scaled)) and scaled.max(initial=0) < scale and scaled.min(initial=0) >= -scale)


def write_media(
    track: Track, path: Path, bits: str, on_tick: Callable[[], None], start: int = 0, stop: int | None = None
) -> Media:
    """Write a part of the track as wav. Raises what `Encoder` raises."""
    channels = 1 if track.channels == 1 else 2
    encoder = Encoder(path, track.sample_rate, "wav", bits, channels=channels)
    try:
        for block in blocks(track, on_tick, start, stop):
            encoder.write(block)
        encoded = encoder.close()
    except BaseException:
        encoder.abort()
        raise
    return Media(path, track.sample_rate, channels, encoded.frames)
