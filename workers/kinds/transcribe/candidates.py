"""Where a note may begin, and what there is to see around it. A judge (`workers.kinds.transcribe.judge`) decides.

A block's arrays have `EDGE` frames before its first and after its last, so that each candidate sees its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.audio.mono import Sound
from workers.kinds.transcribe.features import BANDS, PITCHES, Grid, bands, semitones
from workers.kinds.transcribe.posteriors import posteriors

BLOCK = 536  # frames at once, 6.2 s; with their edges four of Basic Pitch's windows. A cancel is heard between them
EDGE = 16
KINDS = ("bass", "vocals", "other")  # what a judge is told of a pitched stem
LEAST = 0.1  # of the salience of a candidate
NEAR = 2  # frames on both sides among which a candidate has the largest salience
NOTE_AT, ONSET_AT = (-8, -4, -2, -1, 0, 1, 2, 4, 8, 14), (-5, -3, -2, -1, 0, 1, 2, 3, 5)
LEVEL_AT, CONTOUR_AT = (-6, -4, -3, -2, -1, 0, 1, 2, 3, 5, 8), (-4, 0, 3, 6)
RELATED = (-24, -19, -12, -7, -5, -2, -1, 1, 2, 5, 7, 12, 19, 24, 28)  # semitones: the harmonics' and the neighbours'
DRUM_AT = (-4, -2, -1, 0, 1, 2, 3, 5, 8)
Where = NDArray[np.intp]


@dataclass(frozen=True)
class Block:
    """Frames from `start` on, `count` of them: `heard` are a sound's channels [channels, EDGE + count + EDGE, columns].

    Pitched: Basic Pitch's five, then the levels of the semitones' bands by long and by short windows. Drums: the levels
    of their bands by short and by longer windows.
    """

    start: int
    count: int
    heard: Grid

    @property
    def notes(self) -> Grid:
        """How likely each pitch sounds [count, PITCHES]."""
        return self.heard[0, EDGE : EDGE + self.count]


def pitched(sound: Sound, on_frame: Callable[[int, int], None]) -> Iterator[Block]:
    """A stem's blocks. `on_frame` is called with the frames that are done and all of them; what it raises passes."""
    return _blocks(sound, on_frame, lambda at, n: np.concatenate([posteriors(sound, at, n), semitones(sound, at, n)]))


def struck(sound: Sound, on_frame: Callable[[int, int], None]) -> Iterator[Block]:
    """The blocks of a stem of drums."""
    return _blocks(sound, on_frame, lambda at, n: bands(sound, at, n))


def _blocks(sound: Sound, on_frame: Callable[[int, int], None], hear: Callable[[int, int], Grid]) -> Iterator[Block]:
    for start in range(0, sound.frames, BLOCK):
        on_frame(start, sound.frames)
        yield Block(start, min(BLOCK, sound.frames - start), hear(start - EDGE, BLOCK + 2 * EDGE))


def pitched_candidates(block: Block, kind: str) -> tuple[Where, Where, Grid]:
    """Frames in `heard`, columns, and features [n, m] of the notes that may begin in a block of a stem of `kind`."""
    note, onset, _, short = block.heard[0], block.heard[1], block.heard[5], block.heard[6]
    rise = _growth(note, 2, 3)
    soon, later = np.zeros_like(note), np.zeros_like(note)
    soon[:-4] = np.maximum(note[2:-2], note[4:])
    later[:-12] = np.maximum(np.maximum(note[4:-8], note[8:-4]), note[12:])  # a voice glides into its pitch
    louder = _growth(short.mean(axis=1, keepdims=True), 3, 1)
    salience = onset + 0.5 * rise + 2.0 * soon * _growth(short, 3, 1) + 8.0 * later * louder
    frames, columns = _largest(block, salience)
    return frames, columns, _pitched_features(block.heard, kind, frames, columns, salience)


def _growth(grid: Grid, before: int, after: int) -> Grid:
    """By how much `grid` is larger `after` frames later than it was `before` frames earlier; 0 where it is not."""
    grown = np.zeros_like(grid)
    grown[before:-after] = np.maximum(0, grid[before + after :] - grid[: -before - after])
    return grown


def _largest(block: Block, salience: Grid) -> tuple[Where, Where]:
    """Where the salience has its largest of the `NEAR` frames on both sides, in the block's own frames."""
    around = np.lib.stride_tricks.sliding_window_view(salience, 2 * NEAR + 1, axis=0)
    first = EDGE - NEAR
    inner = around[first : first + block.count]
    here = inner[..., NEAR]
    largest = (here >= LEAST) & (here > inner[..., :NEAR].max(-1)) & (here >= inner[..., NEAR + 1 :].max(-1))
    frames, columns = np.nonzero(largest)
    return frames + EDGE, columns


def _pitched_features(heard: Grid, kind: str, frames: Where, columns: Where, salience: Grid) -> Grid:
    note, onset, long, short = heard[0], heard[1], heard[5], heard[6]
    contour = heard[2:5].max(axis=0)
    reach = max(abs(by) for by in RELATED)
    wide = {name: np.pad(grid, ((0, 0), (reach, reach))) for name, grid in (("note", note), ("onset", onset))}
    wide["short"] = np.pad(short, ((0, 0), (reach, reach)))
    at, related = frames[:, None], columns[:, None] + reach + np.array(RELATED)
    total = heard[6].mean(axis=1)
    told = np.repeat(np.eye(len(KINDS))[[KINDS.index(kind)]], len(frames), axis=0)
    parts = [
        note[at + np.array(NOTE_AT), columns[:, None]],
        onset[at + np.array(ONSET_AT), columns[:, None]],
        long[at + np.array(LEVEL_AT), columns[:, None]],
        short[at + np.array(LEVEL_AT), columns[:, None]],
        contour[at + np.array(CONTOUR_AT), columns[:, None]],
        wide["note"][at + 2, related],
        wide["onset"][at, related],
        wide["short"][at + 1, related] - wide["short"][at - 3, related],
        total[at + np.array(LEVEL_AT)],
        np.stack([note[frames + 2].max(1), onset[frames].max(1), salience[frames].max(1)], axis=1),
        np.stack([salience[frames, columns], columns / PITCHES], axis=1),
        told,
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


def struck_candidates(block: Block) -> tuple[Where, Grid]:
    """Frames in `heard`, and features [n, m], of the strokes that may begin in a block of a stem of drums."""
    short = block.heard[0]
    grown = _growth(short, 2, 1)
    low, high = grown[:, : BANDS // 4].mean(1), grown[:, BANDS // 2 :].mean(1)
    salience = np.stack([grown.mean(1), low, high], axis=1) * 6
    frames = np.unique(_largest(block, salience)[0])
    at = frames[:, None] + np.array(DRUM_AT)
    pairs = [channel[:, ::2] + channel[:, 1::2] for channel in block.heard]
    seen = [
        channel.reshape(len(frames), channel.shape[1] * channel.shape[2])  # -1 can't be told where there are no frames
        for channel in (pairs[0][at], pairs[1][at[:, ::2]])
    ]
    return frames, np.concatenate([*seen, salience[frames]], axis=1).astype(np.float32)
