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
    """One of the judge's outputs: its name, General MIDI's key, and the family of drums that it is mistaken for."""

    name: str
    key: int
    family: str


DRUMS = (
    Drum("kick", 36, "kick"),
    Drum("snare", 38, "snare"),
    Drum("clap", 39, "snare"),
    Drum("closed hi-hat", 42, "hi-hat"),
    Drum("open hi-hat", 46, "hi-hat"),
    Drum("tom", 47, "tom"),
    Drum("crash", 49, "cymbal"),
    Drum("ride", 51, "cymbal"),
    Drum("shaker", 70, "shaker"),
)
# The least likelihood of a stroke on any drum of a family, of which the likeliest is written.
LEAST = {"kick": 0.35, "snare": 0.35, "hi-hat": 0.35, "tom": 0.3, "cymbal": 0.35, "shaker": 0.4}


def pick_drums(blocks: Iterable[Block], judge: Judge, sensitivity: float) -> Notes:
    """The strokes of a stem's blocks, as notes on General MIDI's keys."""
    return gather(_rows(blocks, judge, sensitivity))


def _rows(blocks: Iterable[Block], judge: Judge, sensitivity: float) -> Iterator[tuple[float, float, int, int]]:
    last: dict[str, int] = {}
    for block in blocks:
        frames, features = struck_candidates(block)
        if not len(frames):
            continue
        likely = judge.likelihoods(features)
        loud = block.heard[0].max(axis=1)
        for family, least in LEAST.items():
            columns = [column for column, drum in enumerate(DRUMS) if drum.family == family]
            any_of = 1 - np.prod(1 - likely[:, columns], axis=1)
            sure = np.flatnonzero(any_of >= threshold(least, sensitivity))
            for at in sure[likeliest(frames[sure], np.zeros(len(sure), np.intp), any_of[sure], SAME, 0)]:
                frame = block.start + int(frames[at]) - EDGE
                if frame - last.get(family, -SAME) >= SAME:
                    last[family] = frame
                    drum = DRUMS[columns[int(likely[at, columns].argmax())]]
                    level = float(loud[frames[at] : frames[at] + 4].max())
                    yield frame * FRAME, frame * FRAME + HIT_SECONDS, drum.key, velocity(level)
