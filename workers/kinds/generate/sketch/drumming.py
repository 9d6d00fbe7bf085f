"""Drums: grooves of the template, fills at the ends of sections, a cymbal where one begins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stemsvc.music.genres import Genre, Grid
from workers.kinds.generate.sketch.score import STEPS, Hit

Rng = np.random.Generator
STRONG, SOFT = 0.9, 0.5
HUMAN = 0.06  # by how much strokes differ
LIGHT = ("hat", "shaker", "ride", "kick", "open_hat")  # what plays in an introduction
SPARSE = 0.45  # energy below which only those do
FULL = 0.7  # energy from which the fuller grooves are taken


class Drummer:
    """Plays one section after the other; `late` is how much each step of a bar comes after its place, in seconds."""

    def __init__(self, template: Genre, step: float, late: Sequence[float]) -> None:
        self._template, self._step, self._late = template, step, late

    def section(self, rng: Rng, start: float, bars: int, energy: float, last: bool) -> list[Hit]:
        """The strokes of a section that begins at `start` seconds. The `last` one gets no fill."""
        template = self._template
        full = template.lifts or template.grooves
        groove = _one(rng, full if energy >= FULL else template.grooves)
        fill = _one(rng, template.fills)
        found: list[Hit] = []
        if energy >= FULL:
            found.append(Hit(start, "crash", 0.75))
        for bar in range(bars):
            at = start + bar * STEPS * self._step
            ends = bar == bars - 1 and bars > 1 and not last
            grid = fill if ends and energy >= SPARSE else groove
            if energy < SPARSE:
                grid = {drum: marks for drum, marks in grid.items() if drum in LIGHT} or grid
            found += self._bar(rng, grid, at, energy)
        return found

    def _bar(self, rng: Rng, grid: Grid, start: float, energy: float) -> list[Hit]:
        found = []
        accents = (1.0, 0.82, 0.92, 0.82)
        for drum, marks in grid.items():
            for at, mark in enumerate(marks):
                if mark == "-":
                    continue
                level = (STRONG if mark == "x" else SOFT) * (0.75 + 0.25 * energy)
                if drum not in ("kick", "snare", "clap"):
                    level *= accents[at % 4]
                level *= 1 + HUMAN * float(rng.standard_normal())
                stray = self._template.loose * float(rng.standard_normal())
                moment = max(0.0, start + at * self._step + self._late[at] + stray)
                found.append(Hit(moment, drum, float(np.clip(level, 0.1, 1.0))))
        return found


def _one(rng: Rng, grids: Sequence[Grid]) -> Grid:
    return grids[int(rng.integers(len(grids)))]
