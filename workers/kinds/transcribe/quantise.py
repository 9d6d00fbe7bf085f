"""Moves notes to a grid of beats."""

from __future__ import annotations

import numpy as np

from workers.audio.tempo_map import TempoMap
from workers.kinds.transcribe.notes import Notes


def quantise(notes: Notes, tempo: TempoMap, grid: float, strength: float) -> Notes:
    """The notes with their starts moved to the nearest step of `grid` beats, and their ends to the nearest later one.

    `strength` is how far they move, 0 to 1. A grid of 0, or a strength of 0, leaves every time as it was, to the bit.
    """
    if not grid or not strength:
        return notes
    moved = notes.copy()
    for note in moved:
        start, end = tempo.beat_at(float(note["start"])), tempo.beat_at(float(note["end"]))
        first = round(start / grid)
        last = max(first + 1, round(end / grid))
        note["start"] = tempo.seconds_at(start + strength * (first * grid - start))
        note["end"] = tempo.seconds_at(end + strength * (last * grid - end))
    return np.sort(moved, order=["start", "pitch"])
