"""Brings a song to a loudness, under a ceiling of true peak."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stemsvc.jobs.levels import decibels
from workers.audio.limiter import Limiter
from workers.audio.loudness import Loudness
from workers.audio.peak_envelope import PeakEnvelope
from workers.audio.track import Track
from workers.kinds.base import Attempt
from workers.kinds.master.measure import BLOCK, Measured, Meter
from workers.kinds.master.spool import Spool
from workers.kinds.master.stages import Sound

MARGIN_DB = 0.1  # that the limiter stays below the ceiling: other meters look between the samples in other ways
CEILINGS = 3  # that are tried
CLOSE_DB = 0.05  # over the ceiling: near enough for a trim, which costs as much loudness
CLOSE_LU = 0.05  # to the target: near enough
OFF_LU = 0.3  # from the target: worth a warning
PASSES = 8
MOST_GAIN_DB = 60.0
UNLIMITED_DB = 200.0  # of a ceiling that was not asked for


@dataclass(frozen=True)
class Levelled:
    """The finished samples on the scratch disk, still to be multiplied by `trim`, and what was measured of them."""

    track: Track
    trim: float
    after: Measured
    true_peak_db: float | None
    facts: dict[str, Any]

    def blocks(self) -> Iterator[Sound]:
        """The samples in blocks [n, 2]."""
        for start in range(0, self.track.frames, BLOCK):
            block = self.track.read(start, min(start + BLOCK, self.track.frames))
            yield block if self.trim == 1 else (block * self.trim).astype(np.float32)


def level(song: Track, mono: bool, target: float | None, ceiling_db: float | None, attempt: Attempt) -> Levelled:
    """The song at `target` LUFS with no true peak over `ceiling_db` dBTP; None asks for nothing."""
    peaks = attempt.folder / "peaks.f32"
    unlimited, highest = _looked_at(song, mono, peaks, attempt)
    loudness = unlimited.loudness
    if target is not None and loudness is None:
        attempt.warn("loudness_unmeasured", "the song is silent or shorter than 0.4 s")
        target = None
    gain_db = 0.0 if target is None or loudness is None else _bounded(target - loudness)
    ceiling = UNLIMITED_DB if ceiling_db is None else ceiling_db - MARGIN_DB
    if gain_db == 0 and highest <= 10 ** (ceiling / 20):  # nothing to do, to the last bit
        return Levelled(song, 1.0, unlimited, decibels(highest), _facts(target, ceiling_db, 0.0, None))
    for _ in range(CEILINGS):
        made, limiter, gain_db = _brought(song, mono, target, gain_db, ceiling, attempt)
        after, highest = _looked_at(made, mono, attempt.folder / "peaks-after.f32", attempt)
        over = 0.0 if ceiling_db is None else (decibels(highest) or 0.0) - ceiling_db
        if over <= CLOSE_DB or highest == 0:
            break
        ceiling -= over  # where the gain moves fast, a peak between two samples may rise over it
    trim = 1.0
    if ceiling_db is not None and highest > 10 ** (ceiling_db / 20):  # by a hair, where gains moved between samples
        trim = 10 ** ((ceiling_db - MARGIN_DB / 2) / 20) / highest
    lost = decibels(trim) or 0.0
    after = _trimmed(after, trim, lost)
    if target is not None and after.loudness is not None and abs(after.loudness - target) > OFF_LU:
        attempt.warn("target_not_reached", f"the loudness is {after.loudness:.1f} LUFS; {target:g} were asked for")
    return Levelled(made, trim, after, decibels(highest * trim), _facts(target, ceiling_db, gain_db + lost, limiter))


def _brought(
    song: Track, mono: bool, target: float | None, gain_db: float, ceiling_db: float, attempt: Attempt
) -> tuple[Track, Limiter, float]:
    """The limited song, its limiter and its gain, found by trying: how much loudness limiting takes away is only known
    afterwards."""
    before: tuple[float, float] | None = None  # the gain tried before, and the loudness that came of it
    for _ in range(PASSES - 1):
        limiter = Limiter(attempt.folder / "peaks.f32", song.sample_rate, gain_db, ceiling_db)
        made, got = _limited(song, mono, limiter, attempt)
        if target is None or got is None or abs(target - got) <= CLOSE_LU:
            break
        following = _bounded(gain_db + (target - got) / _slope(before, (gain_db, got)))
        if following == gain_db:
            break
        before, gain_db = (gain_db, got), following
    else:
        limiter = Limiter(attempt.folder / "peaks.f32", song.sample_rate, gain_db, ceiling_db)
        made, _ = _limited(song, mono, limiter, attempt)
    return made, limiter, gain_db


def _bounded(gain_db: float) -> float:
    return min(MOST_GAIN_DB, max(-MOST_GAIN_DB, gain_db))


def _slope(before: tuple[float, float] | None, now: tuple[float, float]) -> float:
    """LU that a dB of gain brings, from the last two tries; 1 after the first one."""
    if before is None or before[0] == now[0]:
        return 1.0
    return float(np.clip((now[1] - before[1]) / (now[0] - before[0]), 0.1, 1.5))


def _looked_at(song: Track, mono: bool, peaks: Path, attempt: Attempt) -> tuple[Measured, float]:
    """The song's figures and its true peak; the file `peaks` gets those of each hop."""
    meter, envelope, highest = Meter(song.sample_rate, mono), PeakEnvelope(), 0.0
    with Spool(peaks, song) as file:
        for start in range(0, song.frames, BLOCK):
            attempt.report("measuring", start, song.frames)
            block = song.read(start, min(start + BLOCK, song.frames))
            meter.add(block)
            found = envelope.add(block)
            highest = max(highest, float(found.max(initial=0)))
            file.write(found)
        found = envelope.finish()
        file.write(found)
    return meter.measured(), max(highest, float(found.max(initial=0)))


def _limited(song: Track, mono: bool, limiter: Limiter, attempt: Attempt) -> tuple[Track, float | None]:
    """The limited song and its loudness."""
    meter = Loudness(song.sample_rate, "mono" if mono else "stereo")
    with Spool(attempt.folder / "limited.f32", song) as spool:
        for start in range(0, song.frames, BLOCK):
            attempt.report("limiting", start, song.frames)
            block = limiter.process(song.read(start, min(start + BLOCK, song.frames)), start)
            meter.add(block[:, :1] if mono else block)
            spool.write(block)
    return spool.track, meter.integrated()


def _trimmed(after: Measured, trim: float, lost: float) -> Measured:
    if trim == 1:
        return after
    moved = {
        name: round(value + lost, 2)
        for name in ("loudness", "momentary_max", "short_term_max")
        if (value := getattr(after, name)) is not None
    }
    return replace(after, peak=after.peak * trim, rms=after.rms * trim, **moved)


def _facts(target: float | None, ceiling_db: float | None, gain_db: float, limiter: Limiter | None) -> dict[str, Any]:
    return {
        "target_lufs": target,
        "ceiling_db": ceiling_db,
        "gain_db": round(gain_db, 3),
        "limiter": {
            "most_reduction_db": round(limiter.most_db, 2) if limiter else 0.0,
            "share_of_time": round(limiter.share, 4) if limiter else 0.0,
        },
    }
