"""The limiter: no peak passes, and what needs nothing is left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.sounds import Sound
from workers.audio.limiter import Limiter
from workers.audio.peak_envelope import HOP, TIMES, PeakEnvelope


def limited(
    samples: Sound, folder: Path, rate: int, ceiling_db: float, gain_db: float = 0.0, block: int = 4096
) -> Sound:
    envelope, peaks = PeakEnvelope(), []
    for start in range(0, len(samples), 1000):
        peaks.append(envelope.add(samples[start : start + 1000]))
    peaks.append(envelope.finish())
    np.concatenate(peaks).tofile(folder / "peaks")
    assert len(np.concatenate(peaks)) == -(-len(samples) // HOP)
    limiter = Limiter(folder / "peaks", rate, gain_db, ceiling_db)
    return np.concatenate([limiter.process(samples[at : at + block], at) for at in range(0, len(samples), block)])


def envelope_peak(samples: Sound) -> float:
    envelope = PeakEnvelope()
    return max(float(envelope.add(samples).max(initial=0)), float(envelope.finish().max(initial=0)))


@pytest.mark.parametrize("rate", [8000, 44100, 192000])
@pytest.mark.parametrize("gain_db", [0.0, 18.0])
def test_no_peak_passes(tmp_path: Path, rate: int, gain_db: float) -> None:
    rng = np.random.default_rng(rate)
    samples = (0.5 * rng.standard_normal((30_011, 2))).astype(np.float32)
    samples[0] = 3.0  # the very first one, too
    samples[20_000:] *= 0.01

    found = limited(samples, tmp_path, rate, -3.0, gain_db)

    assert np.abs(found).max() <= 10 ** (-3 / 20) + 1e-6
    assert 20 * np.log10(envelope_peak(found)) <= -3 + 0.1


def test_what_is_below_the_ceiling_is_left_alone(tmp_path: Path) -> None:
    samples = (0.1 * np.random.default_rng(1).uniform(-1, 1, (10_000, 2))).astype(np.float32)
    assert limited(samples, tmp_path, 44100, -3.0).tobytes() == samples.tobytes()


def test_blocks_of_any_size_give_the_same(tmp_path: Path) -> None:
    samples = np.random.default_rng(2).standard_normal((50_000, 2)).astype(np.float32)
    first, second = (limited(samples, tmp_path, 44100, -1.0, block=block) for block in (HOP, 65536))
    assert np.abs(first - second).max() < 1e-6


def test_the_envelope_sees_between_the_samples() -> None:
    count = 4800
    between = np.sin(2 * np.pi * np.arange(count) / 4 + np.pi / 4)  # its samples never reach its peaks
    between *= np.hanning(count)
    samples = np.repeat(between[:, None], 2, axis=1).astype(np.float32)
    assert np.abs(samples).max() == pytest.approx(0.7071, abs=1e-3)
    assert envelope_peak(samples) == pytest.approx(1.0, abs=0.02)
    assert TIMES == 8
