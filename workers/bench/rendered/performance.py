"""A score as people play it: loose time, uneven strength, other registers, parts that rest for whole sections."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from stemsvc.demo.score import Hit, Note, Score

Played = TypeVar("Played", Note, Hit)
# General MIDI's drum map: what each drum of a score may be played on
DRUM_KEYS = {
    "kick": (35, 36),
    "snare": (38, 40, 37),
    "hat": (42, 44),
    "open_hat": (46,),
    "ride": (51, 59, 53),
    "crash": (49, 57, 52, 55),
    "tom": (48, 50, 47),
    "low_tom": (41, 43, 45),
    "clap": (39, 38, 37),
    "shaker": (70, 54, 69, 82),
}
PERCUSSION = (54, 56, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 75, 76, 77)
LOWEST = {"bass": 24, "other": 31, "vocals": 40}


def perform(rng: np.random.Generator, score: Score) -> Score:
    """Play `score` as a band would: every part on its own."""
    if rng.random() < 0.35:
        score.drums = _invent_groove(rng, score)
    score.drums = _rest(rng, _loosen(rng, score.drums), score)
    score.bass = _rest(rng, _shift(rng, _loosen(rng, score.bass), "bass", (-12, 0, 0, 0, 5, 12)), score)
    score.other = [
        _rest(rng, _shift(rng, _loosen(rng, part), "other", (-24, -12, -12, 0, 0, 0, 0, 12)), score)
        for part in score.other
    ]
    score.vocals = _rest(rng, _loosen(rng, score.vocals), score)
    return score


def drum_keys(rng: np.random.Generator, hits: list[Hit]) -> list[tuple[float, float, int, float]]:
    """Events on General MIDI's drum keys, with some hand percussion among them in a quarter of the songs."""
    keys = {drum: int(rng.choice(numbers)) for drum, numbers in DRUM_KEYS.items()}
    if rng.random() < 0.25:
        for drum in rng.choice(["shaker", "hat", "tom", "ride"], 2, replace=False):
            keys[str(drum)] = int(rng.choice(PERCUSSION))
    return [(h.start, h.start + 0.2, keys[h.drum], h.velocity) for h in hits]


def _loosen(rng: np.random.Generator, part: list[Played]) -> list[Played]:
    late, spread = float(rng.normal(0, 0.008)), float(rng.uniform(0, 0.015))
    strength, uneven = float(rng.uniform(0.6, 1.1)), float(rng.uniform(0, 0.2))
    return [
        replace(
            played,
            start=max(0.0, played.start + late + float(rng.normal(0, spread))),
            velocity=float(np.clip(played.velocity * strength * (1 + rng.normal(0, uneven)), 0.1, 1.0)),
        )
        for played in part
    ]


def _shift(rng: np.random.Generator, part: list[Note], name: str, semitones: tuple[int, ...]) -> list[Note]:
    by = int(rng.choice(semitones))
    return [replace(note, pitch=note.pitch + by) if note.pitch + by >= LOWEST[name] else note for note in part]


def _rest(rng: np.random.Generator, part: list[Played], score: Score) -> list[Played]:
    """Leave out one or two sections of some seconds, as arrangements do."""
    for _ in range(int(rng.choice([0, 0, 1, 1, 2]))):
        start, length = float(rng.uniform(-4, score.seconds)), float(rng.uniform(2, 8))
        part = [played for played in part if not start <= played.start < start + length]
    return part


def _invent_groove(rng: np.random.Generator, score: Score) -> list[Hit]:
    """A groove of random density on a grid of sixteenths or triplets, repeated with changes."""
    steps = int(rng.choice([16, 12]))
    step = 4 * 60 / score.tempo / steps
    density = {"kick": 0.25, "snare": 0.15, "hat": float(rng.uniform(0.2, 0.9)), "open_hat": 0.06, "tom": 0.06}
    density |= {"ride": 0.4 if rng.random() < 0.2 else 0.0, "shaker": 0.5 if rng.random() < 0.3 else 0.0}
    grid = {drum: rng.random(steps) < share for drum, share in density.items()}
    grid["kick"][0] = True
    return [
        Hit(bar * steps * step + i * step, drum, float(np.clip(rng.normal(0.75, 0.15), 0.2, 1)))
        for bar in range(int(score.seconds / (steps * step)) + 1)
        for drum, hits in grid.items()
        for i in np.flatnonzero(hits ^ (rng.random(steps) < 0.03))
    ]
