"""Key: the tonic and the mode of a track."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.audio.analysis.chords import NAMES
from workers.audio.analysis.progression import Progression

# Weights of the classes above the tonic: Faraldo, Jordà and Herrera, "A multi-profile approach to key estimation in
# EDM" (2017), whose minor one has the flat seventh of popular music; and Albrecht and Shanahan, "The use of large
# corpora to train a new type of key-finding algorithm" (2013).
PROFILES = (
    (
        (1.00, 0.00, 0.42, 0.00, 0.53, 0.37, 0.00, 0.77, 0.00, 0.38, 0.21, 0.30),
        (1.00, 0.00, 0.36, 0.39, 0.00, 0.38, 0.00, 0.74, 0.27, 0.00, 0.42, 0.23),
    ),
    (
        (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081),
        (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052),
    ),
)
# How much time on a triad speaks for a key: by the root's distance from the tonic, of major triads and of minor ones.
TRIADS = (
    (
        (1.0, -0.6, -0.1, -0.3, -0.2, 0.7, -0.8, 0.6, -0.4, -0.2, 0.1, -0.6),
        (-0.5, -0.8, 0.4, -0.8, 0.35, -0.2, -0.8, -0.2, -0.8, 0.45, -0.6, -0.3),
    ),
    (
        (-0.6, -0.4, -0.7, 0.35, -0.8, 0.0, -0.8, 0.25, 0.45, -0.8, 0.45, -0.8),
        (1.0, -0.6, -0.2, -0.6, -0.6, 0.6, -0.8, 0.5, -0.8, -0.8, -0.2, -0.8),
    ),
)
# What each piece of evidence adds to the logarithm of a key's odds: by logistic regression on songs of seeds that no
# bench has, rounded to halves, because other music differs. All notes, the bass, time on chords, phrases that begin
# with the tonic, changes to it from the fifth and from the fourth (authentic and plagal cadences), phrases that end on
# the fifth (half cadences).
ALL, BASS, CHORDS, OPENING, AUTHENTIC, PLAGAL, HALF = 4.0, 2.5, 3.5, 1.0, 1.0, 1.0, 2.0
LEAST_TONAL = 0.03  # of the spread of the mean chroma, below which no key is named
CAMELOT = (8, 3, 10, 5, 12, 7, 2, 9, 4, 11, 6, 1)  # of the major keys from C on


@dataclass(frozen=True)
class Key:
    """A key: its tonic, 0 for C to 11 for B, its mode, and how sure it is, from 0 to 1."""

    tonic: int
    minor: bool
    confidence: float

    @property
    def name(self) -> str:
        """As musicians say it: "F# minor", "Eb major"."""
        spelled = {(8, True): "G#", (3, True): "D#", (1, False): "Db"}  # with fewer accidentals
        tonic = spelled.get((self.tonic, self.minor), NAMES[self.tonic])
        return f"{tonic} {'minor' if self.minor else 'major'}"

    @property
    def camelot(self) -> str:
        """On the Camelot wheel: "11A"."""
        return f"{self._wheel}{'A' if self.minor else 'B'}"

    @property
    def open_key(self) -> str:
        """In Open Key notation: "4m"."""
        return f"{(self._wheel + 4) % 12 + 1}{'m' if self.minor else 'd'}"

    @property
    def _wheel(self) -> int:
        return CAMELOT[(self.tonic + 3) % 12 if self.minor else self.tonic]


def find_key(tones: NDArray[np.float32], found: Progression) -> Key | None:
    """The key of a track by the sum of its chroma [24] and by its chords. None where no pitch stands out."""
    odds = key_odds(tones, found)
    if odds is None:
        return None
    likely = np.exp(odds - odds.max())
    winner = int(odds.argmax())
    return Key(winner % 12, winner >= 12, round(float(likely[winner] / likely.sum()), 3))


def key_odds(tones: NDArray[np.float32], found: Progression) -> NDArray[np.float64] | None:
    """Logarithms of the odds of 24 keys, majors from C on, but for a constant; None where no pitch stands out."""
    level, bass = tones[:12].astype(np.float64), tones[12:].astype(np.float64)
    if level.max(initial=0) <= 0 or np.std(level) < LEAST_TONAL * level.mean():
        return None
    odds = np.zeros(24)
    for at in range(24):
        minor, tonic = divmod(at, 12)
        for profiles in PROFILES:
            profile = np.roll(profiles[minor], tonic)
            odds[at] += (ALL * _correlation(level, profile) + BASS * _correlation(bass, profile)) / len(PROFILES)
        odds[at] += _of_chords(found, at)
    return odds


def _of_chords(found: Progression, tonic: int) -> float:
    """What the chords say for the key whose tonic triad has that number."""
    minor, root = divmod(tonic, 12)
    weights = np.concatenate([np.roll(each, root) for each in TRIADS[minor]])
    fifths, fourths = ([(root + step) % 12, 12 + (root + step) % 12] for step in (7, 5))
    evidence = (
        CHORDS * found.shares @ weights,
        OPENING * found.openings[tonic],
        AUTHENTIC * found.changes[fifths, tonic].sum(),
        PLAGAL * found.changes[fourths, tonic].sum(),
        HALF * found.closings[fifths].sum(),
    )
    return float(sum(evidence))


def _correlation(found: NDArray[np.float64], profile: NDArray[np.float64]) -> float:
    size = float(np.std(found) * np.std(profile))
    return float(np.mean((found - found.mean()) * (profile - profile.mean()))) / size if size > 0 else 0.0
