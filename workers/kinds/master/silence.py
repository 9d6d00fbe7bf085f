"""Leaves out silence: at a song's ends, or wherever it lasts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemsvc.kinds.master import MasterParams
from workers.audio.track import Track
from workers.kinds.base import Attempt
from workers.kinds.master.measure import BLOCK
from workers.kinds.master.spool import Spool

HOP_SECONDS = 0.02  # between looks at the level
HOLD_SECONDS = 0.25  # of silence that stay before and after what sounds: room for breaths and halls
LEAST_SECONDS = 1.0  # a silence that is shorter is part of the music
FADE_SECONDS = 0.01  # at each cut: nobody hears a click there


@dataclass(frozen=True)
class Heard:
    """The song without silence, and what was left out, as facts."""

    song: Track
    facts: dict[str, Any]


def without_silence(song: Track, params: MasterParams, path: Path, attempt: Attempt) -> Heard:
    """The song's parts that sound, joined in the file `path`; the song itself where nothing is left out."""
    if params.silence == "keep":
        return Heard(song, {"kept": True, "cuts": [], "seconds": 0.0})
    parts = sounding(song, params, attempt)
    facts = {"kept": False, "cuts": _cuts(song, parts), "seconds": _left_out(song, parts)}
    if parts == [(0, song.frames)]:
        return Heard(song, facts)
    with Spool(path, replace(song, frames=sum(stop - start for start, stop in parts))) as spool:
        for start, stop in parts:
            for block in _faded(song, start, stop, attempt):
                spool.write(block)
    return Heard(spool.track, facts)


def sounding(song: Track, params: MasterParams, attempt: Attempt) -> list[tuple[int, int]]:
    """The parts of the song that stay, as frames. All of it where nothing sounds."""
    hop, loud = max(1, round(HOP_SECONDS * song.sample_rate)), 10 ** (params.silence_db / 20)
    found = np.flatnonzero(np.concatenate(list(_peaks(song, hop, attempt))) > loud) if song.frames else np.zeros(0, int)
    if not len(found):
        return [(0, song.frames)]
    hold, least = round(HOLD_SECONDS * song.sample_rate), round(LEAST_SECONDS * song.sample_rate)
    gaps = np.flatnonzero(np.diff(found) * hop > least + 2 * hold) if params.silence == "cut" else np.zeros(0, int)
    firsts, lasts = found[np.concatenate(([0], gaps + 1))], found[np.concatenate((gaps, [len(found) - 1]))]
    parts = [
        (max(0, int(first) * hop - hold), min(song.frames, (int(last) + 1) * hop + hold))
        for first, last in zip(firsts, lasts, strict=True)
    ]
    first, last = parts[0], parts[-1]
    parts[0] = (first[0] if first[0] > hold else 0, parts[0][1])  # a short silence at an end is no silence
    parts[-1] = (parts[-1][0], last[1] if song.frames - last[1] > hold else song.frames)
    return parts


def _peaks(song: Track, hop: int, attempt: Attempt) -> Iterator[NDArray[np.float32]]:
    """The peak of each hop of the song."""
    size = max(1, BLOCK // hop) * hop
    for start in range(0, song.frames, size):
        attempt.report("listening", start, song.frames)
        block = np.abs(song.read(start, min(start + size, song.frames))).max(axis=1)
        whole = np.zeros(-(-len(block) // hop) * hop, np.float32)
        whole[: len(block)] = block
        yield whole.reshape(-1, hop).max(axis=1)


def _faded(song: Track, start: int, stop: int, attempt: Attempt) -> Iterator[NDArray[np.float32]]:
    """A part of the song, faded in and out where the song was cut."""
    length = min(round(FADE_SECONDS * song.sample_rate), (stop - start) // 2)
    for at in range(start, stop, BLOCK):
        attempt.report("cutting", at, song.frames)
        end = min(at + BLOCK, stop)
        block, places = song.read(at, end), np.arange(at, end)
        gains = np.ones(len(block), np.float32)
        if start > 0:
            gains = np.minimum(gains, (places - start) / length)
        if stop < song.frames:
            gains = np.minimum(gains, (stop - 1 - places) / length)
        yield (block * gains[:, None]).astype(np.float32)


def _cuts(song: Track, parts: list[tuple[int, int]]) -> list[dict[str, float]]:
    edges = [0, *(edge for part in parts for edge in part), song.frames]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    rate = song.sample_rate
    return [{"start": round(a / rate, 3), "end": round(b / rate, 3)} for a, b in pairs if b > a]


def _left_out(song: Track, parts: list[tuple[int, int]]) -> float:
    return round((song.frames - sum(stop - start for start, stop in parts)) / song.sample_rate, 3)
