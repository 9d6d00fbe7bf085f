"""Notes and the grid."""

from __future__ import annotations

import numpy as np
import pytest

from workers.audio.tempo_map import steady
from workers.kinds.transcribe.notes import NOTE
from workers.kinds.transcribe.quantise import quantise

NOTES = np.array([(0.03, 0.49, 60, 80), (0.27, 0.28, 62, 80), (1.01, 1.6, 64, 80)], NOTE)


@pytest.mark.parametrize(("grid", "strength"), [(0.0, 1.0), (0.25, 0.0)])
def test_without_a_grid_or_strength_every_bit_stays(grid: float, strength: float) -> None:
    assert quantise(NOTES, steady(120), grid, strength).tobytes() == NOTES.tobytes()


def test_notes_move_onto_the_grid_and_keep_a_length() -> None:
    moved = quantise(NOTES, steady(120), 0.5, 1.0)
    assert moved["start"] == pytest.approx([0.0, 0.25, 1.0])
    assert moved["end"] == pytest.approx([0.5, 0.5, 1.5])
    assert list(moved["pitch"]) == [60, 62, 64]


def test_half_the_strength_is_half_the_way() -> None:
    moved = quantise(NOTES, steady(120), 0.5, 0.5)
    assert moved["start"] == pytest.approx([0.015, 0.26, 1.005])
