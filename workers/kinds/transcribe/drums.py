"""Drums to General MIDI's percussion keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from workers.kinds.transcribe.candidates import EDGE, Block, struck_candidates
from workers.kinds.transcribe.judge import Judge
from workers.kinds.transcribe.notes import Notes, gather, velocity
from workers.kinds.transcribe.pick import FRAME, likeliest, threshold

HIT_SECONDS = 0.1  # how long a stroke is written: MIDI wants an end, and a drum has none
SAME = 4  # frames: a drum is not struck twice within 46 ms


@dataclass(frozen=True)
class Drum:
    """One of the judge's outputs: its name, General MIDI's key, and the least likelihood of a stroke."""

    name: str
    key: int
    least: float = 0.3


DRUMS = (
    Drum("kick", 36),
    Drum("snare", 38),
    Drum("clap", 39),
    Drum("closed hi-hat", 42),
    Drum("open hi-hat", 46),
    Drum("tom", 47),
    Drum("crash", 49),
    Drum("ride", 51),
    Drum("shaker", 70),
)


def pick_drums(blocks: Iterable[Block], judge: Judge, sensitivity: float) -> Notes:
    """The strokes of a stem's blocks, as notes on General MIDI's keys."""
    return gather(_rows(blocks, judge, sensitivity))


def _rows(blocks: Iterable[Block], judge: Judge, sensitivity: float) -> Iterator[tuple[float, float, int, int]]:
    last: dict[int, int] = {}
    for block in blocks:
        frames, features = struck_candidates(block)
        if not len(frames):
            continue
        likely = judge.likelihoods(features)
        loud = block.heard[0].max(axis=1)
        for column, drum in enumerate(DRUMS):
            sure = np.flatnonzero(likely[:, column] >= threshold(drum.least, sensitivity))
            kept = likeliest(frames[sure], np.zeros(len(sure), np.intp), likely[sure, column], SAME, 0)
            for frame in frames[sure][kept]:
                at = block.start + int(frame) - EDGE
                if at - last.get(column, -SAME) >= SAME:
                    last[column] = at
                    level = float(loud[frame : frame + 4].max())
                    yield at * FRAME, at * FRAME + HIT_SECONDS, drum.key, velocity(level)
