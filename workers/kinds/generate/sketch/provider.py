"""The provider `sketch`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stemsvc.host.soundfont import SoundFont
from stemsvc.jobs.warnings import SOUNDFONT_UNUSABLE
from stemsvc.kinds.generate.brief import Brief
from stemsvc.kinds.generate.kind import TRIES
from stemsvc.kinds.generate.params import SKETCH
from workers.kinds.base import Attempt
from workers.kinds.generate.pieces import Piece
from workers.kinds.generate.sketch.compose import compose
from workers.kinds.generate.sketch.render import render
from workers.kinds.generate.sketch.samples import Played, Samples, Unplayable
from workers.kinds.generate.sketch.score import Score

# How loud the parts of a piece are beside each other, in dB, before its genre has its say.
LEVELS = {"drums": -20.0, "bass": -22.0, "other": -21.0, "vocals": -21.0}


class Sketch:
    """Composes by templates, and plays by synthesis and by the samples of a SoundFont, where there is one."""

    name = SKETCH
    tries = TRIES
    composes = True

    def __init__(self, font: SoundFont | None) -> None:
        self._font = font

    def prepare(self, attempt: Attempt) -> None:
        """See `Provider`: it needs nothing."""

    def make(self, brief: Brief, folder: Path, attempt: Attempt) -> Piece:
        """See `Provider`."""
        attempt.report("composing")
        score = compose(brief)
        samples = self._samples(score, brief, folder, attempt)
        parts = render(score, brief, folder, lambda done, of: attempt.report("playing", done, of), samples)
        levels = brief.template.levels
        return Piece(parts, {name: LEVELS[name] + getattr(levels, name) for name in parts})

    def _samples(self, score: Score, brief: Brief, folder: Path, attempt: Attempt) -> Mapping[str, Sequence[Played]]:
        """What the operator's SoundFont plays; nothing, with a warning, where it can't be played."""
        if self._font is None:
            return {}
        try:
            return Samples(self._font, folder, lambda: attempt.report("playing")).stems(score, brief.template.kit)
        except Unplayable as error:
            attempt.warn(SOUNDFONT_UNUSABLE, f"the piece has synthesised sounds alone: {error}")
            return {}
