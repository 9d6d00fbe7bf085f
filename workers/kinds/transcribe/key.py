"""The key of notes, by how long each of the twelve tones sounds."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from workers.audio.analysis.chords import NAMES
from workers.kinds.transcribe.notes import Notes

# How well each tone of the scale fits, from the tonic on: David Temperley, "The Cognition of Basic Musical Structures"
# (2001), table 7.2.
MAJOR = (5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0)
MINOR = (5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0)
LEAST_NOTES = 8  # fewer say nothing


def find_key(stems: Iterable[Notes]) -> str:
    """Such as `F# minor` or `Bb major`, spelled as an analysis does.

    Empty where there are too few notes. Drums are no stems of this.
    """
    sounds, count = np.zeros(12), 0
    for notes in stems:
        count += len(notes)
        np.add.at(sounds, notes["pitch"] % 12, np.minimum(notes["end"] - notes["start"], 2.0))
    if count < LEAST_NOTES:
        return ""
    fits = {
        f"{NAMES[tonic]} {mode}": float(np.corrcoef(np.roll(sounds, -tonic), profile)[0, 1])
        for mode, profile in (("major", MAJOR), ("minor", MINOR))
        for tonic in range(12)
    }
    return max(fits, key=lambda name: fits[name])
