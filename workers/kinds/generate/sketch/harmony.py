"""Chords: which one each bar of a section has, and how it is voiced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stemsvc.music.genres import Genre
from stemsvc.music.keys import Key

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)
DOMINANT = 4  # the degree
Rng = np.random.Generator


@dataclass(frozen=True)
class Chord:
    """A chord: its degree, its tones as pitch classes from the root up, and the scale that fits it."""

    degree: int
    tones: tuple[int, ...]
    scale: tuple[int, ...]  # pitch classes from the tonic up

    @property
    def root(self) -> int:
        """Its root's pitch class."""
        return self.tones[0]


def chord(key: Key, degree: int, seventh: bool) -> Chord:
    """The chord on a degree; a minor key's dominant has the leading note, which tells it from its relative major."""
    steps = list(MINOR if key.minor else MAJOR)
    if key.minor and degree == DOMINANT:
        steps[6] += 1
    count = 4 if seventh else 3
    tones = tuple((key.tonic + steps[(degree + 2 * third) % 7]) % 12 for third in range(count))
    return Chord(degree, tones, tuple((key.tonic + each) % 12 for each in steps))


def progression(rng: Rng, template: Genre, key: Key, name: str, bars: int) -> list[Chord]:
    """A chord for each bar of a section of that name. It begins on the tonic, and its last bar leads back."""
    known = template.minor_chords if key.minor else template.major_chords
    order = rng.permutation(len(known))
    # intro, verse and outro share their chords; chorus and bridge have others where the genre has some
    place = {"chorus": 1, "drop": 1, "bridge": 2, "break": 2}.get(name, 0)
    degrees = known[int(order[place % len(known)])]
    if name not in ("bridge", "break") and 0 in degrees:
        start = degrees.index(0)
        degrees = degrees[start:] + degrees[:start]
    seventh = rng.random(7) < template.sevenths
    found = [degrees[bar % len(degrees)] for bar in range(bars)]
    if bars >= 4 and bars % len(degrees) == 0 and found[-1] not in (4, 6):
        found[-1] = DOMINANT
    return [chord(key, degree, bool(seventh[degree])) for degree in found]


def voiced(chord: Chord, centre: int, before: tuple[int, ...]) -> tuple[int, ...]:
    """The chord's tones as MIDI notes around `centre`, in the inversion that moves least from the one `before`."""
    found: list[tuple[float, tuple[int, ...]]] = []
    for turn in range(len(chord.tones)):
        tones = chord.tones[turn:] + chord.tones[:turn]
        for lowest in (centre - 9, centre - 5, centre - 1):
            notes = [lowest + (tones[0] - lowest) % 12]
            for tone in tones[1:]:
                notes.append(notes[-1] + 1 + (tone - notes[-1] - 1) % 12)
            middle = sum(notes) / len(notes)
            moved = sum(abs(a - b) for a, b in zip(notes, before, strict=False)) if before else 0
            found.append((moved + 0.8 * abs(middle - centre), tuple(notes)))
    return min(found)[1]


def above(pitch_class: int, low: int) -> int:
    """The lowest MIDI note of that class from `low` on."""
    return low + (pitch_class - low) % 12
