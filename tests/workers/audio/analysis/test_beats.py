"""Tempo, beats and bars of music whose beats are known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.workers.audio.analysis.music import RATE, beat_times, groove
from workers.audio.analysis.beats import Beats, track_beats
from workers.bench.audio.scores import f_measure


@pytest.mark.parametrize(("bpm", "start"), [(83.3, 0.0), (121.7, 0.31)])
def test_a_steady_tempo_is_found_within_a_thousandth(bpm: float, start: float) -> None:
    beats = beat_times(bpm, 49, start)
    found = track_beats(groove(beats), RATE)

    assert found.bpm == pytest.approx(bpm, rel=1e-3)
    assert found.steady
    assert found.time_signature == "4/4"
    assert found.candidates[0].bpm == found.bpm
    heard = [each for each in found.beats if start - 0.1 <= each <= beats[-1] + 0.1]
    assert f_measure(heard, beats.tolist()) > 0.97
    assert f_measure([each for each in found.downbeats if each > start - 0.1], beats[::4].tolist()) > 0.9


def test_three_beats_make_a_waltz() -> None:
    beats = beat_times(150.0, 61)
    found = track_beats(groove(beats, meter=3), RATE)

    assert found.time_signature == "3/4"
    assert f_measure(found.downbeats, beats[::3].tolist()) > 0.9


def test_beats_follow_a_tempo_that_rises() -> None:
    beats = beat_times((95.0, 125.0), 90)
    found = track_beats(groove(beats), RATE)

    assert not found.steady
    assert f_measure(found.beats, beats.tolist()) > 0.8


@pytest.mark.parametrize("sound", ["silence", "a tone", "too short"])
def test_what_has_no_pulse_gets_no_tempo(sound: str) -> None:
    time = np.arange(10 * RATE) / RATE
    mono = {
        "silence": np.zeros(10 * RATE, np.float32),
        "a tone": (0.5 * np.sin(2 * np.pi * 220 * time)).astype(np.float32),
        "too short": groove(beat_times(120.0, 5)),
    }[sound]

    assert track_beats(mono, RATE) == Beats()


REST = 40  # seconds, much more than there is of music


@pytest.mark.parametrize("place", ["before", "between", "after"])
def test_a_rest_says_nothing_of_the_tempo(place: str) -> None:
    music, rest = groove(beat_times(107.5, 33)), np.zeros(REST * RATE, np.float32)
    parts = {"before": [rest, music], "between": [music, rest, music], "after": [music, rest]}[place]

    assert track_beats(np.concatenate(parts), RATE).bpm == pytest.approx(107.5, rel=5e-3)
