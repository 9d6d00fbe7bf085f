"""Writes a score by a brief. The brief's seeds decide all that the template leaves open."""

from __future__ import annotations

import numpy as np

from stemsvc.kinds.generate.brief import Brief, Section
from stemsvc.music.genres import STEMS, Genre
from workers.kinds.generate.sketch.drumming import Drummer
from workers.kinds.generate.sketch.harmony import Chord, above, chord, progression, voiced
from workers.kinds.generate.sketch.melody import Singer
from workers.kinds.generate.sketch.playing import Player
from workers.kinds.generate.sketch.score import STEPS, Hit, Line, Note, Score

Rng = np.random.Generator
# How full a section is, from 0 to 1, before the mood has its say.
ENERGY = {"intro": 0.4, "verse": 0.6, "chorus": 0.9, "drop": 1.0, "bridge": 0.5, "break": 0.35, "outro": 0.45}
LEAD = ("verse", "chorus", "drop", "bridge")  # sections that have one
LAYERED = 0.58  # energy from which the layer plays
LEAST_END = 0.25  # bars that must be left over for a last chord of their own


def compose(brief: Brief) -> Score:
    """The score of a piece: exactly `brief.duration` seconds, its sections one after the other, and a last chord."""
    writing = _Writing(brief)
    start = 0.0
    for number, section in enumerate(brief.form):
        writing.section(section, start, last=number == len(brief.form) - 1)
        start += section.bars * brief.bar_seconds
    writing.end(start)
    return writing.score


class _Writing:
    def __init__(self, brief: Brief) -> None:
        self._brief, self._template = brief, brief.template
        template = self._template
        step = brief.bar_seconds / STEPS
        late = _swing(template, step)
        player = Player(step, late, template.loose)
        self._player, self._drummer = player, Drummer(template, step, late)
        self._singer = Singer(player, template.lead.low, template.lead.density, step)
        self.score = Score(
            brief.duration,
            bass=[Line(template.bass.voice)],
            other=[Line(template.chords.voice, -0.2), Line(template.layer.voice, 0.35, 0.7)],
            vocals=[Line(template.lead.voice)],
        )

    def section(self, section: Section, start: float, *, last: bool) -> None:
        """Write a section that begins at `start` seconds. Sections of one name have the same music."""
        brief, template, name = self._brief, self._template, section.name
        energy = float(np.clip(ENERGY[name] + 0.15 * brief.feeling.energy, 0.2, 1.0))
        chords = progression(_rng(brief.seed, "harmony", ""), template, brief.key, name, section.bars)
        rngs = {stem: _rng(_seed(brief, stem, name), stem, name) for stem in STEMS}
        self.score.drums += self._drummer.section(rngs["drums"], start, section.bars, energy, last)
        figure = _one(rngs["bass"], template.bass.figures)
        self.score.bass[0].notes += self._player.bass(rngs["bass"], figure, chords, start, template.bass.low, energy)
        self._others(rngs["other"], chords, start, energy)
        if name in LEAD or len(brief.form) == 1:
            self.score.vocals[0].notes += self._singer.section(rngs["vocals"], chords, start, energy)

    def _others(self, rng: Rng, chords: list[Chord], start: float, energy: float) -> None:
        template, (accompaniment, layer) = self._template, self.score.other
        rhythm, figure = _one(rng, template.chords.rhythms), _one(rng, template.layer.figures)
        accompaniment.notes += self._player.chords(rng, rhythm, chords, start, template.chords.centre, energy)
        if energy >= LAYERED:
            layer.notes += self._player.layer(rng, figure, chords, start, template.layer.centre)

    def end(self, start: float) -> None:
        """Let the tonic sound in what is left after the last bar; a piece of whole bars ends with them."""
        brief, template = self._brief, self._template
        left = brief.duration - start
        if left < LEAST_END * brief.bar_seconds:
            return
        tonic = chord(brief.key, 0, seventh=False)
        self.score.drums += [Hit(start, "kick", 0.8), Hit(start, "crash", 0.6)]
        self.score.bass[0].notes.append(Note(start, left, above(tonic.root, template.bass.low), 0.7))
        notes = voiced(tonic, template.chords.centre, ())
        self.score.other[0].notes += [Note(start, left, pitch, 0.6) for pitch in notes]


def _swing(template: Genre, step: float) -> list[float]:
    """How much later each step of a bar comes, in seconds."""
    if template.swing_eighths:  # the off-beat eighth, and the sixteenths around it
        return [(template.swing * step if at % 4 == 2 else 0.4 * template.swing * step if at % 4 else 0.0)
                for at in range(STEPS)]  # fmt: skip
    return [template.swing * step if at % 2 else 0.0 for at in range(STEPS)]


def _seed(brief: Brief, stem: str, section: str) -> int:
    """The seed of a stem in a section: that of what a variation changes there, else the piece's own."""
    return brief.changes.get(section, brief.changes.get(stem, brief.seed))


def _rng(seed: int, part: str, section: str) -> Rng:
    return np.random.default_rng([seed, *f"{part}/{section}".encode()])


def _one(rng: Rng, texts: tuple[str, ...]) -> str:
    return texts[int(rng.integers(len(texts)))]
