"""Tempo, beats, downbeats and time signature of a track."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from workers.audio.analysis import chroma, onsets
from workers.audio.analysis.meter import Bars, find_bars
from workers.audio.analysis.pulse import STEADY, Grid, Tick, fit, path, quiet
from workers.audio.analysis.tempo import (
    PREFERRED,
    Curve,
    Period,
    TempoCandidate,
    candidates,
    local_tempi,
    strength,
)

LEAST_SECONDS = 4.0  # of music, to say anything about its tempo
LEAST_STRENGTH = 0.06  # of most beats' onsets: digital silence and steady tones have less
NEAR_SECONDS = 4.0  # of silence or of a held tone, on both sides of an onset, are a part of the music; more is a rest
LEAST_CONTRAST = 3.5  # of beats to what lies between: noise has 3, songs 4 to 50
# What a tempo's marks count: distance from the tempi that people prefer, fit of the comb, of the bars and of the grid,
# autocorrelation after half a beat and after four. Found by logistic regression on songs of seeds that no bench has.
EVIDENCE = (1.3, 1.6, 1.7, 1.6, 1.7, 0.75)
LATENCY = -0.005  # seconds by which a frame's flux comes before what starts there


@dataclass(frozen=True)
class Beats:
    """What is known of a track's pulse. Times are seconds; `bpm` is None where there is no pulse.

    `confidence` is from 0 to 1. `candidates` are the likeliest tempi, `bpm` the first: what is left of doubt is mostly
    whether one counts twice or half as fast. `steady` says that one grid holds all beats.
    """

    bpm: float | None = None
    beats: tuple[float, ...] = ()
    downbeats: tuple[float, ...] = ()
    time_signature: str | None = None
    confidence: float = 0.0
    candidates: tuple[TempoCandidate, ...] = field(default=())
    steady: bool = False


def track_beats(mono: NDArray[np.float32], rate: int) -> Beats:
    """The beats of samples [n] at `rate` Hz, which lie in memory. Long tracks are read as `Features` instead."""
    stream, harmony = onsets.OnsetStream(), chroma.ChromaStream()
    sound = soxr.resample(mono, rate, onsets.RATE) if rate != onsets.RATE else mono
    flux = np.concatenate([*stream.add(sound), *stream.finish()])
    low = soxr.resample(mono, rate, chroma.RATE) if rate != chroma.RATE else mono
    tones = np.concatenate([*harmony.add(low), *harmony.finish()])
    return find_beats(flux, tones, len(mono) / rate)


def find_beats(flux: Curve, tones: Curve, seconds: float, on_tick: Tick = quiet) -> Beats:
    """The beats of a track by its onsets [frames, 3] and its chroma [frames, 24]; see `onsets` and `chroma`.

    `on_tick` is called many times a second; what it raises passes.
    """
    rate = onsets.FRAME_RATE
    if seconds < LEAST_SECONDS or flux.max(initial=0) < LEAST_STRENGTH:
        return Beats()
    curve = strength(flux, rate)
    found = candidates(curve, rate, on_tick)
    if not found:
        return Beats()
    counted = [_counted(each, curve, flux, tones, seconds, on_tick) for each in found]
    likely = _softmax(np.array([each.evidence for each in counted]))
    order = np.argsort(-likely)
    told = [TempoCandidate(counted[at].bpm, round(float(likely[at]), 3)) for at in order]
    best = counted[order[0]].beats(told)
    return best if _sounding(best.beats, flux) else Beats()


def _sounding(beats: tuple[float, ...], flux: Curve) -> bool:
    """Whether something starts on most of the beats: a steady tone has one start, and noise has as many between."""
    heard = _heard(flux)
    at = np.clip(np.round(np.array(beats) * onsets.FRAME_RATE).astype(int), 0, len(flux) - 1)
    at = at[heard[at]]
    if len(at) < 2:
        return False
    near = np.stack([flux[np.clip(at + by, 0, len(flux) - 1)] for by in range(-2, 3)]).max(axis=(0, 2))
    typical = float(np.percentile(near, 60))
    return typical >= LEAST_STRENGTH and typical >= LEAST_CONTRAST * float(np.median(flux[heard].max(axis=1)))


def _heard(flux: Curve) -> NDArray[np.bool_]:
    """Which frames are no rest [frames]: they tell of the pulse, however long a track is silent beside."""
    near = 2 * round(NEAR_SECONDS * onsets.FRAME_RATE) + 1
    return np.asarray(maximum_filter1d(flux.max(axis=1), near) >= LEAST_STRENGTH)


@dataclass(frozen=True)
class _Counted:
    """A track's half beats as one tempo counts them."""

    halves: NDArray[np.float64]
    bars: Bars
    grid: Grid
    candidate: Period

    @property
    def evidence(self) -> float:
        """Logarithm of how likely the tempo is, with the bars that it makes, but for a constant."""
        each = self.candidate
        away = np.log2(self.bpm / PREFERRED) ** 2
        marks = (-away, np.log(max(each.fit, 1e-3)), self.bars.fit, self.grid.share, each.half, each.four)
        return float(np.dot(EVIDENCE, marks))

    @property
    def bpm(self) -> float:
        """The tempo, as exactly as the beats tell it."""
        return round(30 / self.grid.period, 3)

    def beats(self, told: list[TempoCandidate]) -> Beats:
        """What is told of it; `told` are all tempi, this one first."""
        return Beats(
            self.bpm,
            tuple(np.round(self.halves[self.bars.beats], 4).tolist()),
            tuple(np.round(self.halves[self.bars.downbeats], 4).tolist()),
            self.bars.time_signature,
            round(float(np.clip(told[0].score * self.grid.share, 0, 1)), 3),
            tuple(told),
            self.grid.share >= STEADY,
        )


def _softmax(evidence: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp(evidence - evidence.max())
    return np.asarray(weights / weights.sum())


def _counted(candidate: Period, curve: Curve, flux: Curve, tones: Curve, seconds: float, on_tick: Tick) -> _Counted:
    rate = onsets.FRAME_RATE
    period = 60 / candidate.bpm
    times = _between(curve, path(curve, np.full(len(curve), period * rate), on_tick)) / rate + LATENCY
    grid = fit(times, period / 2)
    if grid.share >= STEADY:
        halves = grid.times(seconds)
    else:
        local = local_tempi(curve, rate, candidate.bpm, on_tick)
        times = _between(curve, path(curve, 60 * rate / local, on_tick)) / rate + LATENCY
        halves = np.sort(np.concatenate([times, (times[1:] + times[:-1]) / 2]))
        grid = Grid(0.0, _typical(times, flux, period) / 2, grid.share)
    halves = halves[(halves >= 0) & (halves < seconds)]
    return _Counted(halves, find_bars(halves, flux, tones, on_tick), grid, candidate)


def _typical(times: NDArray[np.float64], flux: Curve, period: float) -> float:
    """The median of the time between beats that are heard; `period` where there are none."""
    heard = _heard(flux)[np.clip(np.round(times * onsets.FRAME_RATE).astype(int), 0, len(flux) - 1)]
    gaps = np.diff(times)[heard[1:] & heard[:-1]] if len(times) > 1 else times[:0]
    return float(np.median(gaps)) if len(gaps) else period


def _between(curve: Curve, frames: NDArray[np.int64]) -> NDArray[np.float64]:
    """The frames' places between frames: the top of the parabola through each and its two neighbours."""
    inner = np.clip(frames, 1, len(curve) - 2)
    left, here, right = (curve[inner + by].astype(np.float64) for by in (-1, 0, 1))
    bend = left - 2 * here + right
    shift = np.where(bend < -1e-9, 0.5 * (left - right) / np.minimum(bend, -1e-9), 0.0)
    return np.asarray(frames + np.clip(shift, -0.5, 0.5) * (inner == frames))
