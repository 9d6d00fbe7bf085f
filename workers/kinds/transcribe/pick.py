"""Picks notes: a judge says where they begin, and where their pitch sounds no more they end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from workers.audio.mono import HOP, RATE
from workers.kinds.transcribe.candidates import EDGE, Block, Where, pitched_candidates
from workers.kinds.transcribe.features import LOWEST, PITCHES, Grid
from workers.kinds.transcribe.instruments import Instrument
from workers.kinds.transcribe.judge import Judge
from workers.kinds.transcribe.notes import Notes, gather, velocity

FRAME = HOP / RATE  # seconds
SAME = 4  # frames: of two onsets of one pitch that lie closer, the likelier is one
TOGETHER = 5  # frames: of two notes of a single voice that begin closer, the likelier is one
RELEASE = 4  # frames without its pitch that end a note
LATE = 10  # frames after its begin until which a note may not be heard yet
SHORTEST = 4  # frames of a note
# Seconds by which onsets are found late, the mean over the songs that the judge was trained on.
BEHIND = {"bass": 0.009, "vocals": 0.016, "other": 0.003}
SOUNDING = 0.25  # the least likelihood of a pitch that sounds on


def threshold(base: float, sensitivity: float) -> float:
    """`base` for a sensitivity of 0.5; at 0 only what is sure, at 1 nearly all that might be."""
    return float(min(0.97, base * 4.0 ** (0.5 - sensitivity)))


def pick(blocks: Iterable[Block], kind: str, instrument: Instrument, judge: Judge, least: float) -> Notes:
    """The notes of a pitched stem's blocks, which follow each other: those that are at least so likely.

    `kind` is one of `candidates.KINDS`.
    """
    return gather(_Picker(kind, instrument, judge, least).rows(blocks))


def likeliest(frames: Where, columns: Where, likely: Grid, same: int, together: int) -> Where:
    """Which candidates stay: the likeliest of one column within `same` frames, and of all within `together`."""
    kept: list[int] = []
    taken: dict[int, list[int]] = {}
    for at in np.argsort(-likely, kind="stable"):
        frame, column = int(frames[at]), int(columns[at])
        if any(abs(frame - other) < same for other in taken.get(column, ())):
            continue
        if together and any(abs(frame - int(frames[other])) < together for other in kept):
            continue
        kept.append(int(at))
        taken.setdefault(column, []).append(frame)
    return np.array(sorted(kept, key=lambda at: (frames[at], columns[at])), np.intp)


@dataclass(frozen=True)
class _Onset:
    frame: int  # of the track
    pitch: int
    likely: float
    level: float


@dataclass
class _Picker:
    """Follows the blocks. Onsets near a block's end wait for the next one, which may know a likelier one."""

    kind: str
    instrument: Instrument
    judge: Judge
    least: float
    open: dict[int, tuple[int, float]] = field(default_factory=dict)  # pitch: first frame, level
    quiet: NDArray[np.int64] = field(default_factory=lambda: np.zeros(PITCHES, np.int64))
    waiting: list[_Onset] = field(default_factory=list)
    tail: Grid = field(default_factory=lambda: np.zeros((0, PITCHES), np.float32))  # frames that wait with them
    at: int = 0  # the frame that is next

    def rows(self, blocks: Iterable[Block]) -> Iterator[tuple[float, float, int, int]]:
        """Rows of notes as they end."""
        end = 0
        for block in blocks:
            end = block.start + block.count
            self.waiting += self._onsets(block)
            sounding = np.concatenate([self.tail, block.notes])
            self.tail = sounding[max(0, end - max(SAME, TOGETHER) - self.at) :]
            yield from self._advance(sounding[: len(sounding) - len(self.tail)])
        yield from self._advance(self.tail)
        for pitch in list(self.open):
            yield self._row(pitch, end - int(self.quiet[pitch]))

    def _onsets(self, block: Block) -> list[_Onset]:
        frames, columns, features = pitched_candidates(block, self.kind)
        pitches = columns + LOWEST
        likely = self.judge.likelihoods(features)[:, 0] if len(frames) else np.zeros(0, np.float32)
        fits = (likely >= self.least) & (pitches >= self.instrument.lowest) & (pitches <= self.instrument.highest)
        short = block.heard[6]
        return [
            _Onset(
                block.start + int(frame) - EDGE, int(column), float(p), float(short[frame : frame + 4, column].max())
            )
            for frame, column, p in zip(frames[fits], columns[fits], likely[fits], strict=True)
        ]

    def _advance(self, sounding: Grid) -> Iterator[tuple[float, float, int, int]]:
        """Go on through these frames."""
        stop = self.at + len(sounding)
        known = self.waiting
        kept = likeliest(
            np.array([each.frame for each in known], np.intp),
            np.array([each.pitch for each in known], np.intp),
            np.array([each.likely for each in known], np.float32),
            SAME,
            TOGETHER if self.instrument.single else 0,
        )
        begun: dict[int, list[_Onset]] = {}
        for each in (known[at] for at in kept):
            if each.frame < stop:
                begun.setdefault(each.frame, []).append(each)
        self.waiting = [each for each in known if each.frame >= stop - max(SAME, TOGETHER)]
        for frame, row in enumerate(sounding >= SOUNDING, self.at):
            self.quiet = np.where(row, 0, self.quiet + 1)
            yield from self._ended(frame, begun.get(frame, []))
        self.at = stop

    def _ended(self, frame: int, begun: list[_Onset]) -> Iterator[tuple[float, float, int, int]]:
        starting = {each.pitch for each in begun}
        for pitch in list(self.open):
            if pitch in starting or (starting and self.instrument.single):
                yield self._row(pitch, frame - max(0, int(self.quiet[pitch]) - 1))
            elif self.quiet[pitch] >= (RELEASE if frame - self.open[pitch][0] > LATE else LATE):
                yield self._row(pitch, frame + 1 - int(self.quiet[pitch]))
        for each in begun:
            self.open[each.pitch] = (each.frame, each.level)
            self.quiet[each.pitch] = 0  # a soft note, or a voice that glides, is heard later than it begins

    def _row(self, pitch: int, end: int) -> tuple[float, float, int, int]:
        start, level = self.open.pop(pitch)
        behind = BEHIND[self.kind]
        begin, end_seconds = start * FRAME - behind, max(end, start + SHORTEST) * FRAME - behind
        return max(0.0, begin), end_seconds, pitch + LOWEST, velocity(level)
