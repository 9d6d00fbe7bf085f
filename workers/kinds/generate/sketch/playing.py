"""Bass, chords and the layer beside them: rhythms of the template on the harmony's tones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workers.kinds.generate.sketch.harmony import Chord, above, voiced
from workers.kinds.generate.sketch.score import STEPS, Note

Rng = np.random.Generator
GATE = 0.94  # of a note's length that sounds


def spans(text: str) -> list[tuple[int, int, str]]:
    """The notes of a rhythm of sixteen steps: first step, length in steps, mark. `-` holds, `.` is silence."""
    found: list[tuple[int, int, str]] = []
    for at, mark in enumerate(text):
        if mark == "-" and found and sum(found[-1][:2]) == at:
            found[-1] = (found[-1][0], found[-1][1] + 1, found[-1][2])
        elif mark not in "-.":
            found.append((at, 1, mark))
    return found


class Player:
    """Plays rhythms in time: `step` is a sixteenth in seconds, `late` how much each step comes after its place."""

    def __init__(self, step: float, late: Sequence[float], loose: float) -> None:
        self._step, self._late, self._loose = step, late, loose

    def note(self, rng: Rng, bar: float, at: int, length: float, pitch: int, velocity: float) -> Note:
        """A note of a bar that begins at `bar` seconds."""
        stray = self._loose * float(rng.standard_normal()) if self._loose else 0.0
        start = max(0.0, bar + at * self._step + self._late[at % STEPS] + stray)
        level = float(np.clip(velocity * (1 + 0.05 * float(rng.standard_normal())), 0.1, 1.0))
        return Note(start, max(0.04, length * self._step * GATE), pitch, level)

    def bass(self, rng: Rng, figure: str, chords: Sequence[Chord], start: float, low: int, energy: float) -> list[Note]:
        """The bass of a section, a bar for each chord."""
        found = []
        for number, chord in enumerate(chords):
            following = chords[(number + 1) % len(chords)]
            bar = start + number * STEPS * self._step
            root = above(chord.root, low)
            for at, length, mark in spans(figure):
                level = 0.85 if at % 4 == 0 else 0.7
                pitch = _bass_pitch(mark, chord, root, following)
                found.append(self.note(rng, bar, at, length, pitch, level * (0.8 + 0.2 * energy)))
        return found

    def chords(
        self, rng: Rng, rhythm: str, chords: Sequence[Chord], start: float, centre: int, energy: float
    ) -> list[Note]:
        """The chords of a section, led from one to the next by small steps."""
        found: list[Note] = []
        before: tuple[int, ...] = ()
        for number, chord in enumerate(chords):
            notes = before = voiced(chord, centre, before)
            bar = start + number * STEPS * self._step
            for at, length, _ in spans(rhythm):
                level = (0.75 if at % 8 == 0 else 0.62) * (0.8 + 0.2 * energy)
                found += [self.note(rng, bar, at, length, pitch, level) for pitch in notes]
        return found

    def layer(self, rng: Rng, figure: str, chords: Sequence[Chord], start: float, centre: int) -> list[Note]:
        """An arpeggio or a line on the chords' tones."""
        found: list[Note] = []
        before: tuple[int, ...] = ()
        for number, chord in enumerate(chords):
            notes = before = voiced(chord, centre, before)
            bar = start + number * STEPS * self._step
            for at, length, mark in spans(figure):
                octave, tone = divmod(int(mark), len(notes))
                found.append(self.note(rng, bar, at, length, notes[tone] + 12 * octave, 0.6 if at % 4 else 0.7))
        return found


def _bass_pitch(mark: str, chord: Chord, root: int, following: Chord) -> int:
    tones = chord.tones
    if mark == "o":
        return root + 12
    if mark in "tfs":
        tone = {"t": tones[1], "f": tones[2], "s": tones[3] if len(tones) > 3 else chord.root}[mark]
        return root + (tone - chord.root) % 12
    if mark == "a":  # from the scale's next note below or above the next root
        target = root + ((following.root - chord.root + 6) % 12 - 6)
        near = [pitch for pitch in (target - 2, target - 1, target + 2, target + 1) if pitch % 12 in chord.scale]
        return near[0] if near else target - 1
    return root
