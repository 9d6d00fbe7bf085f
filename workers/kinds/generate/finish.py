"""Balances a piece's parts and brings their sum to a loudness under a ceiling. The parts stay true: they sum to it.

The limiter's gain follows from the sum, and every part gets it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import butter, sosfilt

from workers.audio.limiter import Limiter
from workers.audio.loudness import Loudness
from workers.audio.peak_envelope import PeakEnvelope
from workers.audio.track import Track, scratch_errors
from workers.kinds.base import Attempt
from workers.kinds.generate.pieces import Piece, Sound, total

TARGET_LUFS, CEILING_DB = -14.0, -1.0
MARGIN_DB = 0.15  # that the limiter stays below the ceiling: other meters look between the samples in other ways
CLOSE_LU = 0.3
PASSES = 4
# How loud parts are heard: without the lows, which carry the most power; the mean of what is no more than so much
# below the loudest stretch.
HEARD_HZ, STRETCH, GATE_DB = 90.0, 0.4, 20.0


@dataclass(frozen=True)
class Finished:
    """A piece at its loudness. `mix` is the sum, after the limiter; `lufs` its loudness."""

    piece: Piece
    gains: Mapping[str, float]
    mix: Track
    peaks: Path
    gain_db: float
    lufs: float | None

    def blocks(self) -> Iterator[tuple[Sound, dict[str, Sound]]]:
        """The mix and its parts, block by block; the mix is their exact sum."""
        limiter = _limiter(self.peaks, self.piece.rate, self.gain_db)
        for start, samples in self.piece.blocks(self.gains):
            limited = limiter.process(samples, start)
            parts = {name: limited[:, 2 * at : 2 * at + 2] for at, name in enumerate(self.piece.parts)}
            yield total(limited), parts


def finish(piece: Piece, folder: Path, attempt: Attempt) -> Finished:
    """The piece at -14 LUFS with no true peak over -1 dBTP. Raises what `attempt.report` raises."""
    gains = part_gains(piece, attempt)
    peaks = folder / "peaks.f32"
    loudness = _measure(piece, gains, peaks, attempt)
    gain_db = 0.0 if loudness is None else TARGET_LUFS - loudness
    mix = Track(folder / "mix.f32", "pcm_f32le", piece.rate, 2, piece.frames)
    for _ in range(PASSES):
        got = _limited(piece, gains, _limiter(peaks, piece.rate, gain_db), mix, attempt)
        if got is None or abs(TARGET_LUFS - got) <= CLOSE_LU:
            break
        gain_db += 1.3 * (TARGET_LUFS - got)  # what limiting takes away grows with the gain
    return Finished(piece, gains, mix, peaks, gain_db, got)


def _limiter(peaks: Path, rate: int, gain_db: float) -> Limiter:
    return Limiter(peaks, rate, gain_db, CEILING_DB - MARGIN_DB)


def part_gains(piece: Piece, attempt: Attempt) -> dict[str, float]:
    """A gain for each part, by which it is as loud beside the others as it should be; silence stays as it is."""
    gains = {}
    for name, track in piece.parts.items():
        attempt.report("mixing", 0, piece.frames)
        heard = _heard_level(track) if piece.levels else None
        gains[name] = 10 ** ((piece.levels[name] - heard) / 20) if heard is not None else 1.0
    return gains


def _heard_level(track: Track) -> float | None:
    sections = butter(1, HEARD_HZ, "highpass", fs=track.sample_rate, output="sos")
    state, powers = np.zeros((1, 2)), []
    size = round(STRETCH * track.sample_rate)
    for start in range(0, track.frames, 16 * size):
        mono = track.read(start, min(start + 16 * size, track.frames)).mean(axis=1)
        heard, state = sosfilt(sections, mono, zi=state)
        powers += [float(np.mean(heard[at : at + size] ** 2)) for at in range(0, len(heard), size)]
    loudest = max(powers)
    if loudest < 1e-9:
        return None
    return float(10 * np.log10(np.mean([each for each in powers if each > loudest * 10 ** (-GATE_DB / 10)])))


def _measure(piece: Piece, gains: Mapping[str, float], peaks: Path, attempt: Attempt) -> float | None:
    """The loudness of the sum; the file `peaks` gets its true peaks."""
    meter, envelope = Loudness(piece.rate), PeakEnvelope()
    with scratch_errors(), peaks.open("wb") as file:
        for start, samples in piece.blocks(gains):
            attempt.report("mixing", start, piece.frames)
            mixed = total(samples)
            meter.add(mixed)
            file.write(envelope.add(mixed).tobytes())
        file.write(envelope.finish().tobytes())
    return meter.integrated()


def _limited(piece: Piece, gains: Mapping[str, float], limiter: Limiter, mix: Track, attempt: Attempt) -> float | None:
    """Write the limited sum; returns its loudness."""
    meter = Loudness(piece.rate)
    with scratch_errors(), mix.path.open("wb") as file:
        for start, samples in piece.blocks(gains):
            attempt.report("mastering", start, piece.frames)
            limited = limiter.process(total(samples), start)
            meter.add(limited)
            file.write(limited.tobytes())
    return meter.integrated()
