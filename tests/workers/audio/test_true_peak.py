"""True peaks: where the wave between two samples is higher than both."""

from __future__ import annotations

import numpy as np
import pytest

from workers.audio.true_peak import TruePeak


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_tone_peaks_between_its_samples(rate: int, channels: int) -> None:
    # a quarter of the rate, sampled at 45 degrees from its tops: each sample is 3 dB lower than they are
    at = np.arange(rate)
    tone = 0.8 * np.sin(np.pi / 2 * at + np.pi / 4) * np.hanning(rate)
    sound = np.repeat(tone[:, None], channels, axis=1).astype(np.float32)
    meter = TruePeak(rate)
    for start in range(0, rate, 10_007):
        meter.add(sound[start : start + 10_007])

    highest = meter.finish()
    assert np.abs(sound).max() < 0.57
    assert highest == pytest.approx(0.8 if rate < 192000 else np.abs(sound).max(), rel=0.02)


def test_silence_and_nothing_have_none() -> None:
    meter = TruePeak(44100)
    meter.add(np.zeros((0, 2), np.float32))
    assert meter.finish() == 0.0
    meter.add(np.zeros((5, 2), np.float32))
    assert meter.finish() == 0.0
