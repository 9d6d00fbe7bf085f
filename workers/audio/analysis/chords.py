"""Chords: which major or minor triad sounds with each beat.

A hidden Markov model over beats, as in Sheh and Ellis, "Chord segmentation and recognition using EM-trained hidden
Markov models" (ISMIR 2003), with templates for the twelve classes of all notes and of the bass. What a song repeats is
heard together, after Mauch, Noland and Dixon, "Using musical structure to enhance automatic chord transcription" (ISMIR
2009).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.audio.analysis import chroma
from workers.audio.analysis.meter import by_beat
from workers.audio.analysis.pulse import TICKS, Tick, quiet

NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
SILENT, SILENCE = "N", -1  # the label where no chord sounds, and its number
# What a chord on C does for each class from C on: of all notes, then of the bass.
MAJOR = (
    *(2.0, -1.2, 0.3, -1.6, 1.9, 0.0, -0.8, 1.9, -0.9, 0.0, -0.5, 0.0),
    *(3.6, -0.8, -0.6, -0.6, 0.7, 0.3, -1.0, 1.4, -0.7, -0.4, -0.6, -0.4),
)
MINOR = (
    *(2.0, -1.2, -0.1, 2.0, -1.7, 0.2, -1.0, 1.9, -0.4, -0.9, 0.1, -1.0),
    *(3.6, -0.8, -0.6, 0.6, -0.8, 0.3, -1.0, 1.4, -0.4, -0.6, -0.6, -0.8),
)
SHARPNESS = 1.3  # of the templates' scores, which are logarithms of likelihoods then
STAY = (1.5, 5.0, 4.0)  # what a change of chord costs: at a bar's first beat, at other beats, where bars are unknown
QUIET = 0.02  # of the loudest beat's chroma: no chord sounds in a beat that has less
OF_KEY, NEAR_KEY = 0.0, -1.5  # what triads of the key and others get

Features = NDArray[np.float32]


@dataclass(frozen=True)
class Chord:
    """From `start` to `end` in seconds `label` sounds: "C", "Cm" or "N"."""

    start: float
    end: float
    label: str


def fits(beat: Features) -> NDArray[np.float64]:
    """How well each triad fits each beat's chroma [beats, 24]: [beats, 24], majors from C on, then minors."""
    parts = [half / (np.linalg.norm(half, axis=1, keepdims=True) + 1e-6) for half in (beat[:, :12], beat[:, 12:])]
    templates = np.array([MAJOR, MINOR])
    found = np.zeros((len(beat), 24))
    for mode in range(2):
        for root in range(12):
            for number, part in enumerate(parts):
                found[:, 12 * mode + root] += part @ np.roll(templates[mode, 12 * number : 12 * number + 12], root)
    return found


def repeated(beat: Features, bar: int) -> Features:
    """Chroma of each beat, averaged with the beats of other rounds where the harmony repeats itself."""
    lag = loop(beat, bar)
    if lag is None:
        return beat
    own = _centred(beat)
    total, weight = beat.astype(np.float64), np.ones((len(beat), 1))
    for far in range(-MOST_ROUNDS, MOST_ROUNDS + 1):
        by = far * lag
        if far == 0 or abs(by) >= len(beat):
            continue
        here, there = slice(max(0, -by), len(beat) - max(0, by)), slice(max(0, by), len(beat) - max(0, -by))
        alike = np.convolve((own[here] * own[there]).sum(axis=1), np.ones(lag) / lag, "same")[: len(beat[here])]
        share = np.clip((alike - ALIKE) / (1 - ALIKE), 0, 1)[:, None]
        total[here] += share * beat[there]
        weight[here] += share
    return np.asarray(total / weight, np.float32)


MOST_ROUNDS, ALIKE = 4, 0.3


def _centred(beat: Features) -> Features:
    level = beat / (np.linalg.norm(beat, axis=1, keepdims=True) + 1e-6)
    level = level - level.mean(axis=0)
    return np.asarray(level / (np.linalg.norm(level, axis=1, keepdims=True) + 1e-6), np.float32)


def loop(beat: Features, bar: int) -> int | None:
    """After how many beats the harmony repeats: two, four or eight bars; None where it does not."""
    own = _centred(beat)
    found = {}
    for bars in (2, 4, 8):
        lag = bars * bar
        if len(beat) >= 1.5 * lag:
            found[lag] = float((own[lag:] * own[:-lag]).sum(axis=1).mean())
    if not found:
        return None
    best = max(found.values())
    if best < ALIKE:
        return None
    return next(lag for lag, alike in found.items() if alike > best - 0.08)


def decode(
    found: NDArray[np.float64],
    first: NDArray[np.bool_] | None = None,
    key: tuple[int, bool] | None = None,
    on_tick: Tick = quiet,
) -> NDArray[np.int64]:
    """The likeliest triad of each beat, by `fits`. `first` marks the bars' first beats, `key` is a tonic and whether it
    is minor. `on_tick` is called many times a second."""
    score = SHARPNESS * found
    if key is not None:
        score = score + np.where(diatonic(*key), OF_KEY, NEAR_KEY)
    count = len(score)
    best, before = score[0].copy(), np.zeros((count, 24), np.int64)
    for at in range(1, count):
        if at % TICKS == 0:
            on_tick()
        cost = STAY[2] if first is None else STAY[0] if first[at] else STAY[1]
        top = int(best.argmax())
        change = best[top] - cost
        before[at] = np.where(change > best, top, np.arange(24))
        best = np.maximum(best, change) + score[at]
    chosen = np.zeros(count, np.int64)
    here = int(best.argmax())
    for at in range(count - 1, -1, -1):
        chosen[at] = here
        here = int(before[at, here])
    return chosen


def diatonic(tonic: int, minor: bool) -> NDArray[np.bool_]:
    """Which of the 24 triads a key has; a minor one has the major dominant too."""
    major = (tonic + 3) % 12 if minor else tonic
    found = np.zeros(24, bool)
    found[[(major + step) % 12 for step in (0, 5, 7)]] = True
    found[[12 + (major + step) % 12 for step in (2, 4, 9)]] = True
    if minor:
        found[(tonic + 7) % 12] = True
    return found


def find_chords(
    times: NDArray[np.float64],
    downbeats: NDArray[np.float64],
    tones: Features,
    seconds: float,
    key: tuple[int, bool] | None = None,
    bar: int = 4,
    on_tick: Tick = quiet,
) -> list[Chord]:
    """The chords of a track with beats at `times`, by its chroma [frames, 24]; neighbours differ."""
    if len(times) < 2:
        return []
    beat = by_beat(tones, times, chroma.FRAME_RATE)
    first = np.isin(times, downbeats) if len(downbeats) else None
    chosen = decode(fits(repeated(beat, bar)), first, key, on_tick)
    labels = np.where(sounding(beat), chosen, SILENCE)
    edges = np.flatnonzero(np.diff(labels)) + 1
    starts, stops = np.concatenate([[0], edges]), np.append(edges, len(labels))
    ends = np.append(times, seconds)
    found = [(float(ends[a]) if a else 0.0, float(ends[b]), int(labels[a])) for a, b in zip(starts, stops, strict=True)]
    return [Chord(round(start, 4), round(end, 4), name(triad)) for start, end, triad in found]


def sounding(beat: Features) -> NDArray[np.bool_]:
    """In which beats a chord sounds [beats], by their chroma [beats, 24]."""
    level = np.linalg.norm(beat[:, :12], axis=1)
    return np.asarray(level > QUIET * level.max(initial=0))


def name(triad: int) -> str:
    """The label of one of the 24 triads; `SILENT` for `SILENCE`."""
    return SILENT if triad == SILENCE else NAMES[triad % 12] + ("m" if triad >= 12 else "")
