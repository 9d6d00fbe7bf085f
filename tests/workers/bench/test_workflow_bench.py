"""The simulation of a large workflow does what it says, and so does the timing of hand-overs."""

from __future__ import annotations

import pytest

from workers.bench.handover import handover_figures
from workers.bench.workflows import workflow_figures


def test_a_large_workflow_keeps_its_pools_busy_and_delays_nobody() -> None:
    figures = {figure.name: figure for figure in workflow_figures(30, lambda text: None)}

    assert all(figure.met for figure in figures.values()), figures
    assert figures["jobs lost, doubled or stuck"].value == 0
    assert figures["jobs that begin before another key's single song, for each worker"].value > 0
    assert figures["idle share of the pools"].detail.startswith("93 jobs of 30 songs")


@pytest.mark.long
def test_hand_overs_are_timed_on_a_real_stack() -> None:
    (figure,) = handover_figures(1, lambda text: None)
    assert figure.detail.startswith("4 hand-overs of 1 chains")
    assert 0 < figure.value < 10_000
