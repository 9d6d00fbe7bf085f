"""A track with a click on every beat, to the sample."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from workers.audio.encode import Encoded, Encoder
from workers.audio.track import CHANNELS, Track

BLOCK = 1 << 16  # frames
HERTZ, ACCENT_HERTZ = 1000.0, 1500.0
SECONDS, DECAY, LEVEL = 0.04, 0.008, 0.5


def write_click(
    encoder: Encoder,
    track: Track,
    beats: Sequence[float],
    downbeats: Sequence[float],
    *,
    mixed: bool,
    on_block: Callable[[int], None],
) -> Encoded:
    """Write clicks at `beats`, in seconds, as long as the track; `mixed` adds them to it.

    The first sample of a click is the one nearest to its beat. `on_block` is called with the frames that are written.
    """
    sounds = [_sound(hertz, track.sample_rate) for hertz in (HERTZ, ACCENT_HERTZ)]
    accents = frozenset(downbeats)
    clicks = [(round(beat * track.sample_rate), sounds[beat in accents]) for beat in beats]
    try:
        for start in range(0, track.frames, BLOCK):
            on_block(start)
            stop = min(start + BLOCK, track.frames)
            block = track.read(start, stop) if mixed else np.zeros((stop - start, CHANNELS), np.float32)
            _add(block, clicks, start)
            encoder.write(block)
        return encoder.close()
    except BaseException:
        encoder.abort()
        raise


def _add(block: NDArray[np.float32], clicks: list[tuple[int, NDArray[np.float32]]], start: int) -> None:
    """Add those of the clicks that sound in the block, which begins at frame `start` of the track."""
    stop = start + len(block)
    first = bisect.bisect_left(clicks, start - len(clicks[0][1]), key=lambda click: click[0]) if clicks else 0
    for at, sound in itertools.islice(clicks, first, None):
        if at >= stop:
            break
        low, high = max(at, start), min(at + len(sound), stop)
        if low < high:
            block[low - start : high - start] += sound[low - at : high - at, None]


def _sound(hertz: float, rate: int) -> NDArray[np.float32]:
    time = np.arange(round(SECONDS * rate)) / rate
    # a cosine: the first sample is the loudest, so the beat is to be found to the sample
    return np.asarray(LEVEL * np.cos(2 * np.pi * hertz * time) * np.exp(-time / DECAY), np.float32)
