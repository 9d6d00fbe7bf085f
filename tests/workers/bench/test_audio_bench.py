"""`stemsvc bench audio`: what it scores, and the table that it prints."""

from __future__ import annotations

import pytest

from stemsvc.host.processor import instruction_set
from workers.audio.analysis.chords import Chord
from workers.bench.audio.heard import Heard, Scores
from workers.bench.audio.songs import settings, songs, truth
from workers.bench.table import Figure, render

TRUTH = truth(8_200_000, 20.0)
NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


def test_what_is_right_scores_in_full_and_what_was_not_told_not_at_all() -> None:
    scores, less = Scores(), Scores()
    chords = [Chord(start, end, NAMES[root] + ("m" if quality else "")) for start, end, root, quality in TRUTH.chords]
    scores.note(Heard(TRUTH.bpm, TRUTH.beats, (TRUTH.tonic, TRUTH.minor), TRUTH.downbeats, chords), TRUTH)
    less.note(Heard(2 * TRUTH.bpm, (), ((TRUTH.tonic + 7) % 12, TRUTH.minor)), TRUTH)

    assert scores.figures == pytest.approx(
        {"tempo": 100, "octaves": 100, "beats": 1, "key": 100, "mirex": 1, "downbeats": 1, "chords": 1}
    )
    assert less.figures == {"tempo": 0, "octaves": 100, "beats": 0, "key": 0, "mirex": 0.5}


def test_others_have_columns_of_their_own() -> None:
    rows = [Figure("a", "how", 1.0, "", 2, floor=True, beside={"librosa": 0.25}), Figure("b", "", 3.0, " %", 3)]

    assert render(rows).splitlines() == [
        "| figure | value | bar | aim | | librosa | how |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| a | 1 | ≥ 2 |  | MISSED | 0.25 | how |",
        "| b | 3 % | ≤ 3 % |  | met |  |  |",
    ]
    assert render(rows[1:]).splitlines()[0] == "| figure | value | bar | aim | | how |"


def test_the_settings_take_turns() -> None:
    found = [song.setting for song in songs(8_200_000, 2, 0.5)]
    assert found == [*settings(), "own"][:2]


def test_the_machine_s_instructions_are_named() -> None:
    assert instruction_set()
