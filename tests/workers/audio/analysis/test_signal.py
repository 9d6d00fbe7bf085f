"""The state of signals that are made to have faults."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.sounds import Sound
from workers.audio.analysis.signal import SignalMeter

RATE = 8000


def facts(samples: Sound, channels: int = 2, block: int = 1000) -> dict[str, Any]:
    meter = SignalMeter(RATE)
    for start in range(0, len(samples), block):
        meter.add(samples[start : start + block])
    return meter.facts(channels)


def stereo(left: Any, right: Any = None) -> Sound:
    return np.stack([left, left if right is None else right], axis=1).astype(np.float32)


def sine(seconds: float = 2.0, hertz: float = 200.0) -> Any:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


@pytest.mark.parametrize("block", [7, 1000, 10**6])
def test_runs_at_full_scale_are_clipping_wherever_blocks_are_cut(block: int) -> None:
    left = sine()
    left[498:506] = 1.0
    left[2000:2003] = -1.0
    left[3000:3002] = 1.0  # two samples may be a peak
    left[-4:] = 1.0
    found = facts(stereo(left, sine()), block=block)["clipping"]

    assert found == {"clipped_samples": 15, "runs": 3, "longest_run": 8}


def test_a_mono_track_counts_its_clipping_once() -> None:
    left = sine()
    left[100:110] = 1.0

    assert facts(stereo(left), channels=1)["clipping"] == {"clipped_samples": 10, "runs": 1, "longest_run": 10}


@pytest.mark.parametrize("block", [77, 10**6])
def test_silence_is_told_at_the_ends_and_between(block: int) -> None:
    parts = [np.zeros(RATE), sine(2), np.zeros(RATE), sine(1), np.zeros(RATE // 2)]
    found = facts(stereo(np.concatenate(parts)), block=block)["silence"]

    assert (found["silent"], found["leading_seconds"], found["trailing_seconds"]) == (False, 1.0, 0.5)
    assert found["stretches"] == [
        {"start": 0.0, "end": 1.0},
        {"start": 3.0, "end": 4.0},
        {"start": 5.0, "end": 5.5},
    ]
    assert found["share"] == pytest.approx(2.5 / 5.5, abs=1e-3)


def test_dc_and_a_track_of_it() -> None:
    found = facts(stereo(sine() + 0.1, sine()))
    assert found["dc_offset"] == pytest.approx([0.1, 0.0], abs=1e-6)

    constant = facts(np.full((RATE, 2), 0.25, np.float32))
    assert constant["dc_offset"] == [0.25, 0.25]
    assert constant["silence"]["silent"] is False


@pytest.mark.parametrize(("right", "correlation", "width"), [(1.0, 1.0, 0.0), (-1.0, -1.0, 1.0)])
def test_width_and_correlation_of_both_extremes(right: float, correlation: float, width: float) -> None:
    found = facts(stereo(sine(), right * sine()))["stereo"]

    assert (found["correlation"], found["width"], found["balance_db"]) == (correlation, width, 0.0)


def test_nothing_is_said_of_silence_or_of_mono_that_can_t_be() -> None:
    silent = facts(np.zeros((RATE, 2), np.float32))
    assert silent["stereo"] == {"correlation": None, "width": None, "balance_db": None}
    assert silent["spectrum"] == {"centroid_hz": None, "rolloff_hz": None, "bands": []}
    assert (silent["peak_db"], silent["rms_db"], silent["silence"]["silent"]) == (None, None, True)
    assert facts(stereo(sine()), channels=1)["stereo"]["correlation"] is None


def test_the_spectrum_shows_a_sine_in_its_band() -> None:
    found = facts(stereo(sine(4.0, 500.0)))["spectrum"]

    assert found["centroid_hz"] == pytest.approx(500, abs=10)
    levels = {band["hz"]: band["db"] for band in found["bands"]}
    assert max(levels, key=lambda hz: levels[hz]) == 500
    assert levels[500] == pytest.approx(20 * np.log10(0.5), abs=0.5)
