"""Beats and bars of a track."""

from __future__ import annotations

import numpy as np
import pytest

from workers.audio.tempo_map import from_beats, steady


def test_beats_on_an_even_grid_make_one_tempo_and_bars_at_the_downbeats() -> None:
    beats = [0.7 + k * 0.5 + 0.003 * (-1) ** k for k in range(60)]
    tempo = from_beats(beats, beats[2::4])
    assert tempo.bpm == pytest.approx(120, abs=0.05)
    assert len(tempo.changes) <= 3
    assert tempo.bars(12.0)[:3] == pytest.approx([1.7, 3.7, 5.7], abs=0.01)
    assert tempo.pickup < tempo.beats_per_bar


def test_beats_that_drift_keep_their_own_times() -> None:
    beats = list(np.cumsum(np.linspace(0.5, 0.75, 40)))
    tempo = from_beats(beats, beats[::3], 3)
    found = [tempo.seconds_at(round(tempo.beat_at(beat))) for beat in beats]
    assert found == pytest.approx(beats, abs=1e-9)


@pytest.mark.parametrize("beats", [[0.31 + 0.45 * k for k in range(30)], [0.02 + 0.6 * k**1.01 for k in range(30)]])
def test_seconds_and_beats_are_each_others_inverse(beats: list[float]) -> None:
    tempo = from_beats(beats, beats[1::4])
    moments = np.linspace(0, 20, 101)
    assert [tempo.seconds_at(tempo.beat_at(at)) for at in moments] == pytest.approx(moments)
    assert tempo.beat_at(0.0) == 0.0
    assert np.all(np.diff([tempo.beat_at(at) for at in moments]) > 0)


@pytest.mark.parametrize("beats", [[], [1.0]])
def test_a_track_without_beats_counts_120_a_minute(beats: list[float]) -> None:
    assert from_beats(beats, []) == steady(120.0)
