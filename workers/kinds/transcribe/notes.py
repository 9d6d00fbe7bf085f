"""Notes, kept as rows of an array: an eight-hour track has a million of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# seconds, seconds, MIDI number, 1 to 127
NOTE = np.dtype([("start", "f8"), ("end", "f8"), ("pitch", "u1"), ("velocity", "u1")])
Notes = NDArray[np.void]
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def gather(rows: Iterator[tuple[float, float, int, int]]) -> Notes:
    """Rows of start, end, pitch and velocity, as an array in the order of their starts."""
    found = np.fromiter(rows, NOTE)
    return np.sort(found, order=["start", "pitch"])


def velocity(level: float) -> int:
    """MIDI's 1 to 127 for a level on a logarithmic scale, 0 at -60 dB of the sound's peak and 1 at its peak."""
    return int(np.clip(round(16 + 120 * level), 1, 127))


def pitch_name(pitch: int) -> str:
    """`C4` for 60, as most programs count."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"
