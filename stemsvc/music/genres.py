"""Genres: each is a template in `genres/`, which says what a piece of it is made of.

Rhythms are texts of sixteen steps, a bar. In grids of drums, `x` is a stroke, `o` a soft one, `-` none. Elsewhere `-`
holds the note before and `.` is silence. A bass figure has `r` for the chord's root, `t` its third, `f` its fifth,
`s` its seventh, `o` the root's octave, `a` a step to the next root. An arpeggio has the numbers of the chord's notes.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

FOLDER = Path(__file__).parent / "genres"
BAR = 16  # steps
DEFAULT = "pop"
Grid = dict[str, str]
_COMPOUND = r"musik|beats?|tracks?|songs?|stücke?|lied(?:er)?|nummern?"  # that German joins to a genre


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tempi(_Part):
    """Beats a minute: the range in which pieces of a genre are, and where most of them are."""

    least: float = Field(ge=60, le=200)
    most: float = Field(ge=60, le=200)
    usual: float = Field(ge=60, le=200)


class Bass(_Part):
    """The bass: its voice, its lowest note as a MIDI number, its figures."""

    voice: str
    low: int = 28
    figures: tuple[str, ...] = Field(min_length=1)


class Chords(_Part):
    """What accompanies: its voice, the note that it is around, rhythms of its strokes."""

    voice: str
    centre: int = 60
    rhythms: tuple[str, ...] = Field(min_length=1)


class Layer(_Part):
    """A second voice beside the chords, which comes in where a piece is fuller."""

    voice: str
    centre: int = 72
    figures: tuple[str, ...] = Field(min_length=1)


class Lead(_Part):
    """The melody: its voice, its lowest note, how many notes it has, from 0 to 1."""

    voice: str
    low: int = 60
    density: float = Field(0.5, ge=0, le=1)


class Levels(_Part):
    """How loud each stem is beside the others, in dB."""

    drums: float = 0.0
    bass: float = 0.0
    other: float = 0.0
    vocals: float = 0.0


class Room(_Part):
    """The hall: its length in seconds, and how much of each stem is heard in it."""

    seconds: float = Field(1.0, gt=0, le=6)
    drums: float = 0.05
    other: float = 0.2
    vocals: float = 0.2


class Balance(_Part):
    """How loud the regions of the spectrum are beside the whole, in dB: to 120 Hz, to 400, to 2,000, to 6,000, above.

    `python -m tests.balances` measures it from our own renders.
    """

    bass: float
    low: float
    middle: float
    high: float
    air: float


class Genre(_Part):
    """The template of a genre. `minor` is the share of its pieces in a minor key.

    `progressions` are degrees of the scale, 0 for the tonic, a bar each; `sevenths` is how many chords have one.
    `swing` is by how much of a step every second sixteenth, or eighth where `swing_eighths`, comes later. `loose` is
    how far players stray from the beat, in seconds. `duck` is by how much a kick pushes the others down.
    """

    name: str
    title: str
    words: str
    bpm: Tempi
    minor: float = Field(0.5, ge=0, le=1)
    major_chords: tuple[tuple[int, ...], ...] = Field(min_length=1)
    minor_chords: tuple[tuple[int, ...], ...] = Field(min_length=1)
    sevenths: float = 0.0
    swing: float = Field(0.0, ge=0, lt=1)
    swing_eighths: bool = False
    loose: float = 0.0
    kit: dict[str, str]
    grooves: tuple[Grid, ...] = Field(min_length=1)
    lifts: tuple[Grid, ...] = ()  # for the fuller parts; the grooves where there are none
    fills: tuple[Grid, ...] = Field(min_length=1)
    bass: Bass
    chords: Chords
    layer: Layer
    lead: Lead
    levels: Levels = Levels()
    balance: Balance
    room: Room = Room()
    duck: float = Field(0.0, ge=0, le=1)
    low_pass: float | None = None  # Hz, of everything but the bass
    crackle: float = 0.0  # how loud dust on a record is
    form: tuple[str, ...] = ("intro", "verse", "chorus", "verse", "chorus", "bridge", "chorus", "outro")


STEMS = ("drums", "bass", "other", "vocals")


def genre_names() -> list[str]:
    """The names of all genres; no template is read for them."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@functools.cache
def genres() -> dict[str, Genre]:
    """Every template by its genre's name."""
    import yaml  # not at the top: commands that only name genres need not load it

    found = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        found[path.stem] = Genre(name=path.stem, **yaml.safe_load(path.read_text(encoding="utf-8")))
    return found


def find_genre(text: str) -> str:
    """The genre that the text names, the longest words first; empty where it names none."""
    found = [
        (-len(match[0]), match.start(), name)
        for name, genre in genres().items()
        if (match := re.search(rf"(?<![\w-])(?:{genre.words})(?:{_COMPOUND})?(?!\w)", text, re.IGNORECASE))
    ]
    return min(found)[2] if found else ""
