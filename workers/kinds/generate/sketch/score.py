"""A piece as notes, by stem."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

STEPS = 16  # of a bar


@dataclass(frozen=True)
class Note:
    """One note: start and length in seconds, pitch as a MIDI number, velocity 0 to 1."""

    start: float
    length: float
    pitch: int
    velocity: float


@dataclass(frozen=True)
class Hit:
    """One stroke of a drum."""

    start: float
    drum: str
    velocity: float


@dataclass
class Line:
    """The notes of one voice, and where it stands: -1 left, 1 right."""

    voice: str
    pan: float = 0.0
    gain: float = 1.0
    notes: list[Note] = field(default_factory=list)

    @property
    def sides(self) -> tuple[float, float]:
        """How loud it is on the left and on the right."""
        angle = (self.pan + 1) * math.pi / 4
        return self.gain * math.sqrt(2) * math.cos(angle), self.gain * math.sqrt(2) * math.sin(angle)


@dataclass
class Score:
    """All that is played. `seconds` is the piece's exact length; notes end before it or are cut."""

    seconds: float
    drums: list[Hit] = field(default_factory=list)
    bass: list[Line] = field(default_factory=list)
    other: list[Line] = field(default_factory=list)
    vocals: list[Line] = field(default_factory=list)

    @property
    def lines(self) -> dict[str, list[Line]]:
        """The voices that play notes, by stem."""
        return {"bass": self.bass, "other": self.other, "vocals": self.vocals}
