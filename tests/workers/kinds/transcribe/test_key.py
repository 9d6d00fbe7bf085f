"""The key of notes: found by what sounds, and spelled as musicians and an analysis spell it."""

from __future__ import annotations

import numpy as np
import pytest

from workers.audio.analysis.chords import NAMES
from workers.kinds.transcribe.key import find_key
from workers.kinds.transcribe.midi import midi_key
from workers.kinds.transcribe.notes import NOTE, Notes

SCALES = {"major": (0, 4, 7, 0, 2, 4, 5, 7, 9, 11, 0, 7, 4), "minor": (0, 3, 7, 0, 3, 7, 0, 2, 3, 5, 7, 8, 11, 0, 7, 0)}


def scale(tonic: int, mode: str) -> Notes:
    notes = np.zeros(len(SCALES[mode]), NOTE)
    for number, step in enumerate(SCALES[mode]):
        notes[number]["pitch"], notes[number]["start"], notes[number]["end"] = 48 + tonic + step, number, number + 1
    return notes


@pytest.mark.parametrize("mode", ["major", "minor"])
@pytest.mark.parametrize("tonic", range(12))
def test_a_key_is_spelled_as_an_analysis_spells_it_and_midi_can_write_it(tonic: int, mode: str) -> None:
    found = find_key([scale(tonic, mode)])
    assert found == f"{NAMES[tonic]} {mode}"
    assert midi_key(found)


def test_few_notes_have_no_key() -> None:
    assert find_key([scale(0, "major")[:7]]) == ""
