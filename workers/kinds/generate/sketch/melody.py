"""The lead: motifs of two bars that come again, changed, over the harmony."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workers.kinds.generate.sketch.harmony import Chord
from workers.kinds.generate.sketch.playing import Player
from workers.kinds.generate.sketch.score import STEPS, Note

Rng = np.random.Generator
# Half bars: `x` a note, `-` it goes on, `.` silence. The later, the denser.
CELLS = (
    "........", "x-------", "x---....", "....x---", "x-----x-", "x---x---", "..x-x---", "x--x----", "x-x-x---",
    "x---x-x-", "x--x--x-", "x-x-x-x-", "..x-x-x-", "xx--x-x-",
)  # fmt: skip
RANGE = 14  # semitones that a lead spans
PHRASE = ("A", "B", "A", "C")  # of four motifs; the last one comes to rest


class Singer:
    """Writes a lead for sections. `low` is its lowest MIDI note, `density` from 0 to 1 how many notes it has."""

    def __init__(self, player: Player, low: int, density: float, step: float) -> None:
        self._player, self._low, self._density, self._step = player, low, density, step

    def section(self, rng: Rng, chords: Sequence[Chord], start: float, energy: float) -> list[Note]:
        """The notes of a section, a bar for each chord."""
        density = float(np.clip(self._density * (0.6 + 0.6 * energy), 0.05, 1.0))
        motifs = {name: _rhythm(rng, density) for name in set(PHRASE)}
        contours = {name: rng.integers(-2, 3, 32) for name in sorted(set(PHRASE))}
        found: list[Note] = []
        pitch = self._low + RANGE // 2
        for bar in range(0, len(chords), 2):
            name = PHRASE[bar // 2 % len(PHRASE)]
            rhythm, contour = motifs[name], contours[name]
            if bar // 2 % len(PHRASE) == 0:
                pitch = self._low + RANGE // 2
            for number, (at, length) in enumerate(rhythm):
                if bar + at // STEPS >= len(chords):
                    break
                chord = chords[bar + at // STEPS]
                rests = number == len(rhythm) - 1
                pitch = self._next(chord, pitch, int(contour[number % 32]), strong=at % 8 == 0 or rests)
                place = start + bar * STEPS * self._step
                level = (0.8 if at % 8 == 0 else 0.68) * (0.85 + 0.15 * energy)
                found.append(self._player.note(rng, place, at, length, pitch, level))
        return found

    def _next(self, chord: Chord, pitch: int, move: int, *, strong: bool) -> int:
        """The note after `pitch`, `move` steps of the scale away; on strong beats a tone of the chord."""
        allowed = chord.tones if strong else chord.scale
        ladder = [each for each in range(self._low, self._low + RANGE + 1) if each % 12 in allowed]
        scale = [each for each in range(self._low, self._low + RANGE + 1) if each % 12 in chord.scale]
        at = min(range(len(scale)), key=lambda index: abs(scale[index] - pitch))
        at = at + move
        at = -at if at < 0 else at if at < len(scale) else 2 * len(scale) - at - 2  # turns round at the range's ends
        wanted = scale[int(np.clip(at, 0, len(scale) - 1))]
        return min(ladder, key=lambda each: (abs(each - wanted), each))


def _rhythm(rng: Rng, density: float) -> list[tuple[int, int]]:
    """A rhythm of two bars: first step and length of each note, in steps."""
    places = np.arange(len(CELLS)) / (len(CELLS) - 1)
    weights = np.exp(-(((places - density) / 0.28) ** 2))
    picked = rng.choice(len(CELLS), size=4, p=weights / weights.sum())
    text = "".join(CELLS[int(each)] for each in picked)
    if "x" not in text:
        text = "x-------" + text[8:]
    found: list[tuple[int, int]] = []
    for at, mark in enumerate(text):
        if mark == "x":
            found.append((at, 1))
        elif mark == "-" and found and sum(found[-1]) == at:
            found[-1] = (found[-1][0], found[-1][1] + 1)
    return found
