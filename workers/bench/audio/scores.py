"""How near an analysis comes to the truth, as MIREX counts it."""

from __future__ import annotations

from collections.abc import Sequence

from workers.audio.analysis.chords import NAMES, SILENT, Chord
from workers.bench.audio.songs import Truth

WINDOW = 0.07  # seconds by which a beat may be off
NEAR = 0.005  # of a tempo
OCTAVES = (1, 2, 1 / 2, 3, 1 / 3)


def f_measure(found: Sequence[float], true: Sequence[float]) -> float:
    """Harmonic mean of precision and recall of moments, each matched once within `WINDOW`."""
    hits = first = 0
    for moment in true:
        while first < len(found) and found[first] < moment - WINDOW:
            first += 1
        if first < len(found) and found[first] <= moment + WINDOW:
            hits += 1
            first += 1
    return 2 * hits / max(1, len(found) + len(true))


def tempo_right(bpm: float | None, true: float, *, octaves: bool = False) -> bool:
    """Whether a tempo is within `NEAR` of the truth, or of a multiple of it."""
    times = OCTAVES if octaves else (1,)
    return bpm is not None and any(abs(bpm / (true * each) - 1) < NEAR for each in times)


def key_score(tonic: int, minor: bool, true: Truth) -> float:
    """MIREX: 1 for the key, 0.5 for a fifth away, 0.3 for the relative key, 0.2 for the parallel one."""
    away = (tonic - true.tonic) % 12
    if minor == true.minor:
        return {0: 1.0, 5: 0.5, 7: 0.5}.get(away, 0.0)
    if away == 0:
        return 0.2
    return 0.3 if away == (3 if true.minor else 9) else 0.0


def chord_overlap(found: Sequence[Chord], true: Truth) -> tuple[float, float]:
    """Seconds in which the right major or minor triad is named, and seconds in which the truth has one."""
    right = whole = 0.0
    for start, end, root, quality in true.chords:
        if quality is None:
            continue
        whole += end - start
        wanted = NAMES[root] + ("m" if quality else "")
        right += sum(
            max(0.0, min(end, each.end) - max(start, each.start))
            for each in found
            if each.label == wanted and each.label != SILENT
        )
    return right, whole
