"""Loudness against pyloudnorm, which measures a whole file at once."""

from __future__ import annotations

import numpy as np
import pyloudnorm
import pytest

from tests.sounds import tone
from workers.audio.loudness import Loudness


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 96000])
def test_it_is_what_pyloudnorm_says(rate: int) -> None:
    random = np.random.default_rng(3)
    sound = (tone(5.0, rate) * 0.3 + random.normal(0, 0.02, (5 * rate, 2))).astype(np.float32)
    sound[: 2 * rate] *= 0.01  # below the relative gate

    meter = Loudness(rate)
    for start in range(0, len(sound), 10_007):
        meter.add(sound[start : start + 10_007])

    told = meter.integrated()
    assert told is not None
    theirs = pyloudnorm.Meter(rate).integrated_loudness(sound.astype(np.float64))
    assert abs(told - theirs) < (0.3 if rate == 8000 else 0.1)  # the weighting's curve bends at 8 kHz
    assert meter.peak == pytest.approx(np.abs(sound).max())


def test_silence_has_no_loudness() -> None:
    meter = Loudness(44100)
    meter.add(np.zeros((44100, 2), np.float32))
    meter.add(np.zeros((0, 2), np.float32))
    assert (meter.integrated(), meter.peak) == (None, 0.0)


def test_a_sound_too_short_to_measure_has_none() -> None:
    meter = Loudness(44100)
    meter.add(tone(0.1, 44100))
    assert meter.integrated() is None
