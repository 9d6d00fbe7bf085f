"""A random song as notes: the score that every renderer of the demo plays.

One seed determines the whole song, so its seed is its name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)
# Scale degrees (0-based) of four-bar progressions common in popular music.
PROGRESSIONS = (
    (0, 4, 5, 3),
    (0, 5, 3, 4),
    (5, 3, 0, 4),
    (0, 3, 4, 4),
    (0, 2, 3, 4),
    (0, 6, 3, 4),
    (1, 4, 0, 0),
    (0, 3, 0, 4),
    (3, 4, 2, 5),
    (0, 0, 3, 4),
    (0, 5, 1, 4),
    (5, 4, 3, 4),
)
# Sixteenth-note grids, one string for each drum: x hit, o soft hit, - rest.
GROOVES = (
    {"kick": "x-------x-x-----", "snare": "----x-------x---", "hat": "x-x-x-x-x-x-x-x-"},
    {"kick": "x---x---x---x---", "snare": "----x-------x---", "open_hat": "--x---x---x---x-"},
    {"kick": "x--x--x---x-----", "snare": "----x--o-o--x---", "hat": "xoxoxoxoxoxoxoxo"},
    {"kick": "x-----x-x-----x-", "snare": "--------x-------", "hat": "x-x-x-x-x-x-x-x-", "shaker": "oooooooooooooooo"},
    {"kick": "x---------x-----", "snare": "----x-------x--o", "ride": "x-x-x-x-x-x-x-x-"},
    {"kick": "x-x-----x-x-----", "clap": "----x-------x---", "hat": "--x---x---x---xx"},
    {"kick": "x-----x---x-----", "snare": "----x-------x---", "tom": "--------------xx", "hat": "x---x---x---x---"},
    {"kick": "x---x---x---x---", "clap": "----x-------x---", "hat": "xxxxxxxxxxxxxxxx"},
)
BASS_FIGURES = (
    ((0, 4, 0), (4, 4, 0), (8, 4, 0), (12, 4, 0)),
    tuple((i, 2, 0) for i in range(0, 16, 2)),
    ((0, 6, 0), (6, 2, 0), (8, 6, 4), (14, 2, 6)),
    ((0, 3, 0), (3, 3, 0), (6, 2, 7), (10, 4, 0), (14, 2, 4)),
    ((0, 14, 0),),
    ((0, 2, 0), (2, 2, 7), (4, 2, 0), (6, 2, 7), (8, 2, 0), (10, 2, 7), (12, 2, 4), (14, 2, 7)),
    ((0, 4, 0), (4, 4, 2), (8, 4, 4), (12, 4, 5)),
)


@dataclass(frozen=True)
class Note:
    """One note: start and duration in seconds, pitch as a MIDI number, velocity 0..1."""

    start: float
    duration: float
    pitch: int
    velocity: float


@dataclass(frozen=True)
class Hit:
    """One stroke of a drum, by the drum's name."""

    start: float
    drum: str
    velocity: float


@dataclass
class Score:
    """The notes of one song by part. `other` holds one list for each accompanying instrument."""

    seconds: float
    tempo: float
    drums: list[Hit] = field(default_factory=list)
    bass: list[Note] = field(default_factory=list)
    other: list[list[Note]] = field(default_factory=list)
    other_roles: list[str] = field(default_factory=list)
    vocals: list[Note] = field(default_factory=list)


def write_score(rng: np.random.Generator, seconds: float) -> Score:
    """Compose a song of `seconds` in 4/4 with a four-chord loop, drums, bass, 1 to 3 instruments and a voice."""
    tempo = float(rng.uniform(72, 148))
    step = 60.0 / tempo / 4
    key = int(rng.integers(0, 12))
    scale = MAJOR if rng.random() < 0.5 else MINOR
    chords = PROGRESSIONS[rng.integers(len(PROGRESSIONS))]
    bars = int(np.ceil(seconds / (16 * step)))
    score = Score(seconds=seconds, tempo=tempo)
    groove = GROOVES[rng.integers(len(GROOVES))]
    figures = [BASS_FIGURES[rng.integers(len(BASS_FIGURES))] for _ in range(2)]
    roles = list(rng.choice(["chords", "pad", "arpeggio", "lead"], size=int(rng.integers(1, 4)), replace=False))
    score.other_roles = [str(role) for role in roles]
    score.other = [[] for _ in roles]
    swing = float(rng.choice([0.0, 0.0, 0.12, 0.2])) * step
    for bar in range(bars):
        start = bar * 16 * step
        degree = chords[bar % 4]
        _write_drums(rng, score, groove, start, step, swing, fill=bar % 4 == 3)
        _write_bass(rng, score, figures[bar // 4 % 2], key, scale, degree, start, step)
        for role, notes in zip(score.other_roles, score.other, strict=True):
            _write_instrument(rng, notes, role, key, scale, degree, start, step)
    _write_voice(rng, score, key, scale, chords, bars, step)
    return score


def pitch_of(key: int, scale: tuple[int, ...], degree: int, low: int) -> int:
    """MIDI pitch of a scale degree, in the octave that starts at or above `low`."""
    octave, step = divmod(degree, 7)
    pitch = key + scale[step] + 12 * octave
    return pitch + 12 * int(np.ceil((low - key) / 12))


def _velocity(rng: np.random.Generator, base: float) -> float:
    return float(np.clip(base + rng.normal(0, 0.07), 0.2, 1.0))


def _write_drums(
    rng: np.random.Generator, score: Score, groove: dict[str, str], start: float, step: float, swing: float, fill: bool
) -> None:
    for drum, grid in groove.items():
        for i, mark in enumerate(grid):
            if mark == "-" or rng.random() < 0.03:
                continue
            late = swing if i % 2 else 0.0
            at = start + i * step + late + float(rng.normal(0, 0.004))
            score.drums.append(Hit(max(0.0, at), drum, _velocity(rng, 0.9 if mark == "x" else 0.45)))
    if start == 0 or rng.random() < 0.12:
        score.drums.append(Hit(start, "crash", _velocity(rng, 0.8)))
    if fill and rng.random() < 0.6:
        for i in range(12, 16):
            score.drums.append(Hit(start + i * step, str(rng.choice(["snare", "tom", "low_tom"])), _velocity(rng, 0.8)))


def _write_bass(
    rng: np.random.Generator,
    score: Score,
    figure: tuple[tuple[int, int, int], ...],
    key: int,
    scale: tuple[int, ...],
    degree: int,
    start: float,
    step: float,
) -> None:
    for at, length, interval in figure:
        if rng.random() < 0.05:
            continue
        pitch = pitch_of(key, scale, degree + interval, 28)
        while pitch > 52:
            pitch -= 12
        gate = float(rng.uniform(0.7, 0.98))
        score.bass.append(Note(start + at * step, length * step * gate, pitch, _velocity(rng, 0.8)))


def _write_instrument(
    rng: np.random.Generator,
    notes: list[Note],
    role: str,
    key: int,
    scale: tuple[int, ...],
    degree: int,
    start: float,
    step: float,
) -> None:
    triad = [degree, degree + 2, degree + 4] + ([degree + 6] if rng.random() < 0.25 else [])
    if role == "pad":
        for tone in triad:
            notes.append(Note(start, 15.5 * step, pitch_of(key, scale, tone, 53), _velocity(rng, 0.55)))
    elif role == "chords":
        rhythm = ((0, 4, 8, 12), (0, 3, 6, 10, 12), (0, 6, 8, 14), (2, 6, 10, 14))[rng.integers(4)]
        for at, until in zip(rhythm, (*rhythm[1:], 16), strict=True):
            for tone in triad:
                gate = float(rng.uniform(0.5, 0.95))
                length = (until - at) * step * gate
                notes.append(Note(start + at * step, length, pitch_of(key, scale, tone, 55), _velocity(rng, 0.65)))
    elif role == "arpeggio":
        tones = [triad[0], triad[1], triad[2], triad[0] + 7]
        order = rng.permutation(4)
        for i in range(0, 16, 2):
            pitch = pitch_of(key, scale, tones[order[i // 2 % 4]], 60)
            notes.append(Note(start + i * step, 2.2 * step, pitch, _velocity(rng, 0.65)))
    else:
        at = 0
        while at < 16:
            length = int(rng.choice([2, 2, 4, 4, 6, 8]))
            if rng.random() < 0.75:
                tone = int(rng.choice(triad)) + int(rng.choice([0, 0, 1, -1, 7]))
                pitch = pitch_of(key, scale, tone, 62)
                notes.append(Note(start + at * step, length * step * 0.92, pitch, _velocity(rng, 0.7)))
            at += length


def _write_voice(
    rng: np.random.Generator,
    score: Score,
    key: int,
    scale: tuple[int, ...],
    chords: tuple[int, ...],
    bars: int,
    step: float,
) -> None:
    low = int(rng.choice([45, 48, 52, 57, 60]))
    degree = int(rng.integers(0, 7))
    at = int(rng.integers(0, 5))
    while at < bars * 16:
        for _ in range(int(rng.integers(4, 11))):
            length = int(rng.choice([2, 2, 2, 3, 4, 4, 6, 8]))
            if at % 8 == 0:  # strong beats fall on chord tones
                chord = chords[at // 16 % 4]
                degree = min((chord + o + 7 * k for o in (0, 2, 4) for k in (-1, 0, 1)), key=lambda d: abs(d - degree))
            else:
                degree += int(rng.choice([-2, -1, -1, 0, 1, 1, 2]))
            degree = int(np.clip(degree, -1, 9))
            gate = float(rng.uniform(0.85, 1.0))
            note = Note(at * step, length * step * gate, pitch_of(key, scale, degree, low), _velocity(rng, 0.75))
            score.vocals.append(note)
            at += length
        at += int(rng.choice([2, 4, 4, 8, 12]))
