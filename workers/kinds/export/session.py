"""What every project has: tracks with their files, a tempo map, markers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stemsvc.jobs.filenames import clean_filename, shortened, visible
from workers.audio.tempo_map import TempoMap
from workers.audio.track import Track

# Native Instruments' colours of its four stems, then others of Okabe and Ito (2008).
COLOURS = {"drums": "#009E73", "bass": "#D55E00", "other": "#CC79A7", "vocals": "#56B4E9"}
MORE_COLOURS = ("#E69F00", "#0072B2", "#F0E442", "#999999")
MOST_FILE_NAME = 120  # bytes: projects are unpacked into folders, and Windows takes 260 characters in all


@dataclass(frozen=True)
class Media:
    """A wav file of a track, exactly its samples."""

    path: Path
    rate: int
    channels: int
    frames: int

    @property
    def seconds(self) -> float:
        """Playing time."""
        return self.frames / self.rate


@dataclass(frozen=True)
class Lane:
    """A track of the project: its name for people, its colour as #RRGGBB, its file's name, and its sound."""

    name: str
    colour: str
    file: str
    track: Track
    media: Media


@dataclass(frozen=True)
class Marker:
    """A name for a moment of the track, in seconds."""

    seconds: float
    name: str


@dataclass(frozen=True)
class Session:
    """A project. Its stems all begin at 0."""

    title: str
    lanes: tuple[Lane, ...]
    tempo: TempoMap
    markers: tuple[Marker, ...]

    @property
    def rate(self) -> int:
        """That of most lanes, of the highest among equals."""
        rates = [lane.media.rate for lane in self.lanes]
        return max(set(rates), key=lambda rate: (rates.count(rate), rate))

    @property
    def seconds(self) -> float:
        """Of the longest lane."""
        return max(lane.media.seconds for lane in self.lanes)

    @property
    def folder(self) -> str:
        """The name of the project's folder and of its files."""
        return file_name(self.title)


def tidy(name: str) -> str:
    """A name for people on one line, without what can't be seen: XML and Reaper's files can't hold the rest."""
    return re.sub(r"\s+", " ", visible(name)).strip() or "track"


def file_name(name: str) -> str:
    """A name for a file: no folders, nothing that a file system refuses."""
    return shortened(clean_filename(re.sub(r"[/\\]", "_", tidy(name))), MOST_FILE_NAME).rstrip(". ") or "track"


def file_names(names: Sequence[str]) -> list[str]:
    """`01 drums.wav` and so on: numbers keep equal names apart, and the tracks in order."""
    return [f"{number:02d} {file_name(name)}.wav" for number, name in enumerate(names, 1)]


def colours(names: Sequence[str], given: Sequence[str]) -> list[str]:
    """A colour for each track: the `given` ones, else those by which the usual stems are known."""
    if given:
        return [colour.upper() for colour in given]
    more = iter(MORE_COLOURS * (1 + len(names) // len(MORE_COLOURS)))
    return [COLOURS.get(name.lower()) or next(more) for name in names]


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of #RRGGBB, 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
