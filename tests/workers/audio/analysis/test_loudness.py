"""Loudness, by the signals of the EBU."""

from __future__ import annotations

import numpy as np
import pytest

from workers.audio.analysis.loudness import LoudnessFacts, LoudnessMeter
from workers.bench.audio.ebu import RATE, cases

QUICK = ("3341-1", "3341-6", "3341-9", "3341-12", "3341-15", "3341-19", "3341-22", "3342-2")


def test_the_ebu_s_signals_are_measured_within_their_tolerance() -> None:
    found = list(cases(QUICK))

    assert [case.name for case in found] == sorted(QUICK, key=[case.name for case in found].index)
    assert [(case.name, case.error) for case in found if not case.met] == []


@pytest.mark.long
def test_all_of_the_ebu_s_signals_are() -> None:
    assert [(case.name, case.error) for case in cases() if not case.met] == []


@pytest.mark.parametrize(("seconds", "known"), [(0.1, ()), (1.0, ("integrated_lufs", "momentary_max"))])
def test_what_is_too_short_has_no_made_up_figure(seconds: float, known: tuple[str, ...]) -> None:
    meter = LoudnessMeter(RATE)
    sine = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(round(seconds * RATE)) / RATE)
    meter.add(np.stack([sine, sine], axis=1).astype(np.float32))
    facts = vars(meter.facts())

    assert {name for name, value in facts.items() if value is not None} == {*known, "true_peak_dbtp"}


def test_silence_has_no_loudness() -> None:
    meter = LoudnessMeter(RATE)
    meter.add(np.zeros((5 * RATE, 2), np.float32))

    assert meter.facts() == LoudnessFacts()
