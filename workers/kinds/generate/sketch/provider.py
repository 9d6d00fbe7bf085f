"""The provider `sketch`."""

from __future__ import annotations

from pathlib import Path

from stemsvc.kinds.generate.brief import Brief
from stemsvc.kinds.generate.kind import TRIES
from stemsvc.kinds.generate.params import SKETCH
from workers.kinds.base import Attempt
from workers.kinds.generate.pieces import Piece
from workers.kinds.generate.sketch.compose import compose
from workers.kinds.generate.sketch.render import render

# How loud the parts of a piece are beside each other, in dB, before its genre has its say.
LEVELS = {"drums": -20.0, "bass": -22.0, "other": -21.0, "vocals": -21.0}


class Sketch:
    """Composes by templates and plays by synthesis. It has no state and no weights."""

    name = SKETCH
    tries = TRIES
    composes = True

    def prepare(self, attempt: Attempt) -> None:
        """See `Provider`: it needs nothing."""

    def make(self, brief: Brief, folder: Path, attempt: Attempt) -> Piece:
        """See `Provider`."""
        attempt.report("composing")
        score = compose(brief)
        parts = render(score, brief, folder, lambda done, of: attempt.report("playing", done, of))
        levels = brief.template.levels
        return Piece(parts, {name: LEVELS[name] + getattr(levels, name) for name in parts})
