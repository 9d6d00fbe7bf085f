"""Each stage of a master does what it is asked to, measured on signals that were made for it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.sounds import Sound
from workers.kinds.master.stages import Compression, Saturation, Stage, Tone, Width

RATE = 44100


def sine(frequency: float, level_db: float = -20.0, seconds: float = 2.0, side: bool = False) -> Sound:
    """A sine in the middle, or at the sides alone, with its peak at `level_db`."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = 10 ** (level_db / 20) * np.sin(2 * np.pi * frequency * time)
    return np.stack([wave, -wave if side else wave], 1).astype(np.float32)


def level_db(samples: Sound, frequency: float) -> float:
    """The level of one frequency in the left channel, once a stage has settled."""
    settled = samples[len(samples) // 2 :, 0].astype(np.float64)
    phase = np.exp(-2j * np.pi * frequency * np.arange(len(settled)) / RATE)
    window = np.hanning(len(settled))
    return float(20 * np.log10(np.abs((settled * window * phase).sum()) * 2 / window.sum() + 1e-12))


def gain_db(stage: Stage, samples: Sound, frequency: float) -> float:
    return level_db(stage.process(samples.copy()), frequency) - level_db(samples, frequency)


@pytest.mark.parametrize(
    ("gains", "at_40", "at_1500", "at_16000"),
    [((6.0, 0.0, 0.0), 6, 0, 0), ((0.0, -4.0, 0.0), 0, -4, 0), ((0.0, 0.0, 5.0), 0, 0, 5)],
)
def test_tone_moves_the_band_that_is_named(
    gains: tuple[float, float, float], at_40: float, at_1500: float, at_16000: float
) -> None:
    for frequency, expected in ((40.0, at_40), (1500.0, at_1500), (16000.0, at_16000)):
        assert gain_db(Tone(RATE, *gains), sine(frequency), frequency) == pytest.approx(expected, abs=0.7), frequency


@pytest.mark.parametrize("frequency", [60.0, 700.0, 8000.0])
def test_compression_lowers_what_is_loud_in_its_band_and_nothing_else(frequency: float) -> None:
    quiet_of_others = {60.0: 700.0, 700.0: 8000.0, 8000.0: 60.0}[frequency]
    both = sine(frequency, -3.0) + sine(quiet_of_others, -50.0)
    found = Compression(RATE, 1.0, -23.0).process(both.copy())

    lowered = level_db(found, frequency) - level_db(both, frequency)
    assert lowered < -6  # 15 dB over the threshold, at a ratio of 3
    assert level_db(found, quiet_of_others) - level_db(both, quiet_of_others) == pytest.approx(0, abs=0.7)
    assert gain_db(Compression(RATE, 1.0, -23.0), sine(frequency, -40.0), frequency) == pytest.approx(0, abs=0.3)


def test_more_compression_lowers_more() -> None:
    found = [gain_db(Compression(RATE, amount, -23.0), sine(700.0, -3.0), 700.0) for amount in (0.0, 0.3, 0.6, 1.0)]
    assert found[0] == pytest.approx(0, abs=0.1)
    assert found == sorted(found, reverse=True)


def test_saturation_adds_odd_harmonics_alone_and_softens_peaks() -> None:
    pure = sine(1000.0, -6.0)
    found = [Saturation(amount, 0.5).process(pure.copy()) for amount in (0.2, 0.5, 1.0)]

    thirds = [level_db(each, 3000.0) for each in found]
    assert level_db(pure, 3000.0) < -100
    assert thirds == sorted(thirds)
    assert -70 < thirds[0] < thirds[-1] < -20
    assert all(level_db(each, 2000.0) < -100 for each in found)
    peaks = [float(np.abs(each).max()) for each in (pure, *found)]
    assert peaks == sorted(peaks, reverse=True)
    assert gain_db(Saturation(1.0, 0.5), sine(1000.0, -60.0), 1000.0) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.5, 2.0])
def test_width_scales_the_sides_above_150_hz_and_leaves_the_middle(factor: float) -> None:
    high, low, middle = sine(3000.0, side=True), sine(30.0, side=True), sine(3000.0)
    expected = max(20 * np.log10(max(factor, 1e-9)), -40.0)

    assert max(gain_db(Width(RATE, factor), high, 3000.0), -40.0) == pytest.approx(expected, abs=0.3 if factor else 20)
    assert gain_db(Width(RATE, factor), low, 30.0) == pytest.approx(0, abs=1.0)
    assert (Width(RATE, factor).process(middle.copy()) == middle).all()
