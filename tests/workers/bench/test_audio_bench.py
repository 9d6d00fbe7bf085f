"""`stemsvc bench audio`: what it scores, and the table that it prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stemsvc.host.processor import instruction_set
from tests.sounds import tone
from tests.workers.kinds.running import float_wav
from workers.audio.analysis.chords import Chord
from workers.bench.audio.heard import Heard, Scores
from workers.bench.audio.master import BLOCK, true_peak_db
from workers.bench.audio.running import peak_memory
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


def test_a_true_peak_does_not_come_from_where_a_piece_is_cut() -> None:
    time = np.arange(2 * BLOCK + 1000) / 44100
    fade = np.minimum(1, np.minimum(time, time[::-1]) / 0.1)
    sound = (0.5 * np.sin(2 * np.pi * 50 * time) * fade)[:, None].repeat(2, axis=1).astype(np.float32)

    assert true_peak_db(sound) == pytest.approx(-6.02, abs=0.02)


@pytest.mark.long
def test_the_memory_of_work_is_its_own_and_not_that_of_who_measures(tmp_path: Path) -> None:
    files = [("track", float_wav(tmp_path / "a.wav", tone(1.0, 44100)))]
    alone = peak_memory("mix", {"tracks": [{}]}, files)
    held = np.ones(100_000_000)  # 800 MB

    assert peak_memory("mix", {"tracks": [{}]}, files) == pytest.approx(alone, abs=50)
    assert held.nbytes / 1e6 > 2 * alone
