"""Sections: where the music changes, and which parts are alike.

Boundaries are peaks of Foote's novelty, "Automatic audio segmentation using a measure of audio novelty" (ICME 2000),
over bars. Parts that sound alike get one letter; no letter says what a part is for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.audio.analysis import chroma, onsets
from workers.audio.analysis.meter import by_beat

WIDTH = 8  # bars on each side of a boundary
LEAST = 4  # bars of a section
LEAST_NOVELTY = 0.08
ALIKE = 0.80  # of two sections with one letter
MOST_LETTERS = 26


@dataclass(frozen=True)
class Section:
    """From `start` to `end` in seconds; sections that sound alike have one label."""

    start: float
    end: float
    label: str


def find_sections(
    starts: NDArray[np.float64], flux: NDArray[np.float32], tones: NDArray[np.float32], seconds: float
) -> list[Section]:
    """The sections of a track whose bars start at `starts`, by onsets [frames, 3] and chroma [frames, 24]."""
    if len(starts) < 2:
        return []
    bars = describe(starts, flux, tones)
    edges = boundaries(novelty(bars))
    inner = [int(edge) for edge in edges]
    spans = list(zip([0, *inner], [*inner, len(bars)], strict=True))
    labels = _labels([bars[start:stop].mean(axis=0) for start, stop in spans])
    ends = [0.0, *(float(starts[edge]) for edge in inner), seconds]
    return [
        Section(round(start, 4), round(end, 4), label)
        for start, end, label in zip(ends, ends[1:], labels, strict=False)
    ]


def describe(starts: NDArray[np.float64], flux: NDArray[np.float32], tones: NDArray[np.float32]) -> NDArray[np.float64]:
    """What each bar sounds like: classes of pitch, their bass, density of onsets; [bars, 27], each of length 1."""
    tone = by_beat(tones, starts, chroma.FRAME_RATE).astype(np.float64)
    beat = by_beat(flux, starts, onsets.FRAME_RATE).astype(np.float64)
    parts = [_scaled(tone[:, :12]), 0.7 * _scaled(tone[:, 12:]), 1.5 * beat / (beat.max(axis=0) + 1e-9)]
    found = np.concatenate(parts, axis=1)
    found -= found.mean(axis=0)
    return np.asarray(found / (np.linalg.norm(found, axis=1, keepdims=True) + 1e-9))


def _scaled(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9))


def novelty(bars: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much the bars before each one differ from it and those behind it, from 0 to about 1: [bars].

    It is half the squared distance of both sides' means, which is the checkerboard's mean. A side has whole phrases of
    `LEAST` bars: half of one would differ from the other half.
    """
    count = len(bars)
    found = np.zeros(count)
    for at in range(LEAST, count - LEAST + 1):
        before, behind = (min(WIDTH, each // LEAST * LEAST) for each in (at, count - at))
        left, right = bars[at - before : at], bars[at : at + behind]
        within = (np.linalg.norm(left.mean(axis=0)) ** 2 + np.linalg.norm(right.mean(axis=0)) ** 2) / 2
        found[at if at < count else count - 1] = within - float(left.mean(axis=0) @ right.mean(axis=0))
    return found


def boundaries(found: NDArray[np.float64]) -> list[int]:
    """Bars that start a section: the highest novelties, at least `LEAST` bars apart."""
    limit = max(LEAST_NOVELTY, float(found.mean() + 0.5 * found.std()))
    chosen: list[int] = []
    free = np.zeros(len(found), bool)
    free[LEAST : len(found) - LEAST + 1] = True
    for at in map(int, np.argsort(-found)):
        if found[at] < limit:
            break
        if free[at]:
            chosen.append(at)
            free[max(0, at - LEAST + 1) : at + LEAST] = False
    return sorted(chosen)


def _labels(means: list[NDArray[np.float64]]) -> list[str]:
    """A letter for each section: that of the section most like it, or the next one."""
    heads: list[NDArray[np.float64]] = []
    labels = []
    for mean in means:
        own = mean / (np.linalg.norm(mean) + 1e-9)
        alike = [float(own @ head) for head in heads]
        if alike and (max(alike) >= ALIKE or len(heads) == MOST_LETTERS):
            number = int(np.argmax(alike))
        else:
            number = len(heads)
            heads.append(own)
        labels.append(chr(ord("A") + number))
    return labels
