"""Plays a score into one file of samples for each stem, in blocks: memory does not grow with the piece."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import butter, sosfilt

from stemsvc.kinds.generate.brief import Brief
from stemsvc.music.genres import STEMS
from workers.audio.track import Track, scratch_errors
from workers.kinds.generate.sketch.kit import build
from workers.kinds.generate.sketch.room import Room
from workers.kinds.generate.sketch.samples import Played
from workers.kinds.generate.sketch.score import Line, Score
from workers.kinds.generate.sketch.voices import RATE, Sound, play

BLOCK = 1 << 18  # frames
PITCH_STEPS, LENGTH_STEPS, LEVEL_STEPS = 1, 0.02, 0.1  # to which notes are rounded, so that each is made once
LOWEST_HZ, HIGHEST_HZ = 18.0, 16000.0
DUCK_SECONDS = 0.16
END_SECONDS = 0.03  # of the fade before the last sample
OnTick = Callable[[int, int], None]


@dataclass(frozen=True)
class _Event:
    first: int  # frame
    sound: tuple[str, int, float, float]  # voice or drum, pitch, length, velocity
    left: float
    right: float


def render(
    score: Score, brief: Brief, folder: Path, tick: OnTick, samples: Mapping[str, Sequence[Played]]
) -> dict[str, Track]:
    """The stems, as tracks of exactly the piece's length. `tick` gets the frames that are done, and all.

    `samples` has what is played already, by stem: only other voices are made here.
    """
    frames = round(score.seconds * RATE)
    stems = {stem: _Stem(stem, score, brief, samples.get(stem, ())) for stem in STEMS}
    paths = {stem: folder / f"{stem}.f32" for stem in STEMS}
    with scratch_errors():
        files = {stem: path.open("wb") for stem, path in paths.items()}
    try:
        for start in range(0, frames, BLOCK):
            count = min(BLOCK, frames - start)
            for number, (stem, playing) in enumerate(stems.items()):
                done = start + count * number // len(stems)
                block = playing.block(start, count, functools.partial(tick, done, frames))
                _fade(block, start, frames)
                with scratch_errors():
                    files[stem].write(block.tobytes())
    finally:
        for file in files.values():
            file.close()
    return {stem: Track(path, "pcm_f32le", RATE, 2, frames) for stem, path in paths.items()}


class _Stem:
    """One stem: its notes, its effects, and what of them sounds on into the next block."""

    def __init__(self, stem: str, score: Score, brief: Brief, played: Sequence[Played]) -> None:
        template = brief.template
        self._played = played
        self._kit = build(template.kit, brief.seed) if stem == "drums" and not played else {}
        if stem == "drums":
            events = [] if played else _hits(score)
        else:
            done = [id(each.line) for each in self._played]
            events = _notes([line for line in score.lines[stem] if id(line) not in done])
        self._events = sorted(events, key=lambda each: each.first)
        self._next = 0
        self._made: dict[tuple[str, int, float, float], Sound] = {}
        self._tail = np.zeros((0, 2), np.float32)
        share = {"drums": template.room.drums, "other": template.room.other, "vocals": template.room.vocals}
        self._wet = share.get(stem, 0.0)
        self._room = Room(template.room.seconds, BLOCK) if self._wet else None
        kicks = [hit.start for hit in score.drums if hit.drum == "kick"]
        self._kicks = np.array(kicks if template.duck and stem != "drums" else [])
        self._duck = template.duck
        self._filters = _filters(stem, brief)
        self._crackle = template.crackle if stem == "other" else 0.0

    def block(self, start: int, count: int, tick: Callable[[], None]) -> Sound:
        """The next samples [count, 2]."""
        mixed = self._dry(start, count, tick)
        if len(self._kicks):
            mixed *= _ducking(self._kicks, self._duck, start, count)[:, None]
        if self._room is not None:
            mixed += np.float32(self._wet * 1.6) * self._room.process(mixed)
        for each in self._filters:
            mixed = each.process(mixed)
        if self._crackle:
            mixed += _dust(start, count, self._crackle)
        return np.ascontiguousarray(mixed, np.float32)

    def _dry(self, start: int, count: int, tick: Callable[[], None]) -> Sound:
        tick()
        out = np.zeros((max(count, len(self._tail)), 2), np.float32)
        out[: len(self._tail)] = self._tail
        while self._next < len(self._events) and self._events[self._next].first < start + count:
            event = self._events[self._next]
            sound = self._sound(event, tick)
            at = event.first - start
            if at + len(sound) > len(out):
                out = np.concatenate([out, np.zeros((at + len(sound) - len(out), 2), np.float32)])
            out[at : at + len(sound)] += sound * np.array([event.left, event.right], np.float32)
            self._next += 1
        self._tail = out[count:].copy()
        for each in self._played:
            out[:count] += each.track.read(start, start + count) * np.array([each.left, each.right], np.float32)
        return out[:count]

    def _sound(self, event: _Event, tick: Callable[[], None]) -> Sound:
        name, pitch, length, velocity = event.sound
        if name in self._kit:
            return self._kit[name] * np.float32(velocity)
        if event.sound not in self._made:
            tick()
            self._made[event.sound] = play(name, pitch, length, velocity)
        return self._made[event.sound]


class _Filter:
    """A filter for a signal that comes in blocks."""

    def __init__(self, sections: np.ndarray) -> None:
        self._sections = sections
        self._state = np.zeros((len(sections), 2, 2))

    def process(self, samples: Sound) -> Sound:
        """The next samples [n, 2]."""
        out, self._state = sosfilt(self._sections, samples, axis=0, zi=self._state)
        return np.asarray(out, np.float32)


def _filters(stem: str, brief: Brief) -> list[_Filter]:
    """What every stem goes through: it has no DC, and the highs that genre and mood leave it."""
    found = [_Filter(butter(1, LOWEST_HZ, "highpass", fs=RATE, output="sos"))]
    hertz = (brief.template.low_pass or HIGHEST_HZ) * 2 ** min(0.0, 1.2 * brief.feeling.bright)
    if stem != "bass" and hertz < HIGHEST_HZ:
        found.append(_Filter(butter(2, hertz, fs=RATE, output="sos")))
    return found


def _hits(score: Score) -> list[_Event]:
    return [_Event(round(each.start * RATE), (each.drum, 0, 0.0, each.velocity), 1.0, 1.0) for each in score.drums]


def _notes(lines: Sequence[Line]) -> list[_Event]:
    found = []
    for line in lines:
        left, right = line.sides
        for each in line.notes:
            length = max(LENGTH_STEPS, round(each.length / LENGTH_STEPS) * LENGTH_STEPS)
            level = max(LEVEL_STEPS, round(each.velocity / LEVEL_STEPS) * LEVEL_STEPS)
            sound = (line.voice, each.pitch, round(length, 3), round(level, 3))
            found.append(_Event(round(each.start * RATE), sound, left, right))
    return found


def _ducking(kicks: np.ndarray, depth: float, start: int, count: int) -> Sound:
    """How much is left of the others while kicks sound: a gain for each sample."""
    gain = np.ones(count, np.float32)
    shape = 1 - depth * np.exp(-np.arange(round(5 * DUCK_SECONDS * RATE), dtype=np.float32) / (DUCK_SECONDS * RATE))
    for kick in kicks:
        first = round(float(kick) * RATE) - start
        low, high = max(0, first), min(count, first + len(shape))
        if low < high:
            gain[low:high] = np.minimum(gain[low:high], shape[low - first : high - first])
    return gain


def _dust(start: int, count: int, level: float) -> Sound:
    """The crackle of a record."""
    rng = np.random.default_rng([start, 3])
    out = (rng.standard_normal(count) * level * 0.15).astype(np.float32)
    places = rng.integers(0, count, max(1, round(count / RATE * 14)))
    out[places] += (rng.standard_normal(len(places)) * level * 6).astype(np.float32)
    return np.repeat(out[:, None], 2, axis=1)


def _fade(block: Sound, start: int, frames: int) -> None:
    """Let the last samples of a piece die away, so that it ends in silence."""
    fade = round(END_SECONDS * RATE)
    first = max(0, frames - fade - start)
    if first < len(block):
        left = np.arange(frames - start - first, frames - start - len(block), -1, dtype=np.float32) - 1
        block[first:] *= (left / fade)[:, None]
