"""Reads a decoded track once, and keeps what the analyses need: about 2.5 kB for each second, whatever its rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from workers.audio.analysis import chroma, onsets
from workers.audio.analysis.loudness import LoudnessFacts, LoudnessMeter
from workers.audio.analysis.rows import Rows
from workers.audio.analysis.signal import SignalMeter
from workers.audio.analysis.spectra import Mono
from workers.audio.analysis.tuning import TuningMeter
from workers.audio.track import Track

BLOCK = 1 << 16  # frames of a track at a time
EXCERPTS, EXCERPT_SECONDS = 24, 2.0  # spread over the track: enough to know its tuning
PEEK = 1 << 14  # frames of an excerpt that tell DC and phase
LEVEL, MOST_GAIN = 0.12, 300.0  # RMS at which onsets are looked for; quieter tracks are mostly noise
COLUMNS = 1200  # of the waveform

# Called with the frames that are read and all frames, many times a second; what it raises ends the reading.
OnRead = Callable[[int, int], None]
Curve = NDArray[np.float32]


@dataclass(frozen=True)
class Features:
    """What is kept of a track of `seconds`.

    `flux` are onsets [frames, 3], `tones` chroma [frames, 24]; see `onsets` and `chroma`. `waveform` has the lowest and
    the highest sample of each of `COLUMNS` parts.
    """

    seconds: float
    flux: Curve
    tones: Curve
    waveform: Curve
    loudness: LoudnessFacts
    signal: dict[str, Any]
    tuning_hz: float | None


def read_features(track: Track, on_read: OnRead, harmony: Sequence[Track] = ()) -> Features:
    """Read the track; its tones come from the sum of `harmony`, stems of it without drums, where there are some."""
    sounds = tuple(harmony) or (track,)
    tuning = TuningMeter()
    for excerpt in _excerpts(sounds):
        on_read(0, track.frames)
        tuning.add(excerpt)
    signal, meter = SignalMeter(track.sample_rate), LoudnessMeter(track.sample_rate, min(2, track.channels))
    pulse = _Pulse(track.sample_rate, not harmony, tuning.cents or 0.0)
    waveform, fold = np.zeros((COLUMNS, 2), np.float32), _fold(track)
    for start in range(0, track.frames, BLOCK):
        on_read(start, track.frames)
        block = track.read(start, min(start + BLOCK, track.frames))
        signal.add(block)
        meter.add(block)
        pulse.add(fold(block))
        _draw(waveform, block, start, track.frames)
    pulse.finish()
    tones = pulse.tones if not harmony else _tones(sounds, tuning.cents or 0.0, on_read)
    return Features(
        track.seconds,
        pulse.flux.all(),
        tones.all(),
        waveform,
        meter.facts(),
        signal.facts(track.channels),
        tuning.hertz,
    )


class _Pulse:
    """The two streams of features of one signal."""

    def __init__(self, rate: int, tonal: bool, cents: float) -> None:
        self._to_onsets = soxr.ResampleStream(rate, onsets.RATE, 1, dtype="float32")
        self._to_chroma = soxr.ResampleStream(onsets.RATE, chroma.RATE, 1, dtype="float32")
        self._onsets, self._chroma = onsets.OnsetStream(), chroma.ChromaStream(cents) if tonal else None
        self.flux, self.tones = Rows(3), Rows(24)

    def add(self, mono: Mono, *, last: bool = False) -> None:
        sound = self._to_onsets.resample_chunk(mono, last=last)
        self.flux.extend(self._onsets.add(sound))
        if self._chroma is not None:
            self.tones.extend(self._chroma.add(self._to_chroma.resample_chunk(sound, last=last)))

    def finish(self) -> None:
        self.add(np.zeros(0, np.float32), last=True)
        self.flux.extend(self._onsets.finish())
        if self._chroma is not None:
            self.tones.extend(self._chroma.finish())


def _tones(sounds: Sequence[Track], cents: float, on_read: OnRead) -> Rows:
    """Chroma of the sum of several tracks of one length and rate."""
    whole = min(sound.frames for sound in sounds)
    stream, converter = chroma.ChromaStream(cents), soxr.ResampleStream(sounds[0].sample_rate, chroma.RATE, 1)
    found = Rows(24)
    for start in range(0, whole, BLOCK):
        on_read(start, whole)
        stop = min(start + BLOCK, whole)
        mono = np.sum([sound.read(start, stop).mean(axis=1) for sound in sounds], axis=0, dtype=np.float32)
        found.extend(stream.add(converter.resample_chunk(mono, last=stop == whole)))
    found.extend(stream.finish())
    return found


def _fold(track: Track) -> Callable[[NDArray[np.float32]], Mono]:
    """Both channels as one, without DC and at the level of other tracks: their mean, or the left one where the mean
    would cancel most of the sound."""
    blocks = [track.read(start, min(track.frames, start + PEEK)) for start in _starts(track)]
    offset = np.mean([block.mean(axis=0) for block in blocks], axis=0).astype(np.float32)
    left, right = np.concatenate(blocks).T - offset[:, None]
    opposite = ((left - right) ** 2).sum() > 4 * ((left + right) ** 2).sum()
    heard = left if opposite else (left + right) / 2
    gain = np.float32(LEVEL / max(LEVEL / MOST_GAIN, float(np.sqrt(np.mean(heard**2)))))
    if opposite:
        return lambda block: (block[:, 0] - offset[0]) * gain
    middle = offset.mean()
    return lambda block: ((block[:, 0] + block[:, 1]) / 2 - middle) * gain


def _starts(track: Track) -> list[int]:
    count = round(EXCERPT_SECONDS * track.sample_rate)
    last = max(0, track.frames - count)
    return sorted({round(last * number / (EXCERPTS - 1)) for number in range(EXCERPTS)})


def _excerpts(sounds: Sequence[Track]) -> Iterator[Mono]:
    rate = sounds[0].sample_rate
    for start in _starts(sounds[0]):
        stop = start + round(EXCERPT_SECONDS * rate)
        parts = [sound.read(start, min(stop, sound.frames)) for sound in sounds]
        size = min(len(part) for part in parts)
        mono = np.sum([part[:size, 0] for part in parts], axis=0, dtype=np.float32)
        yield np.asarray(soxr.resample(mono, rate, chroma.RATE), np.float32)


def _draw(waveform: Curve, block: NDArray[np.float32], start: int, frames: int) -> None:
    """Note the block's lowest and highest samples in the columns that it covers."""
    column = (start + np.arange(len(block))) * COLUMNS // max(1, frames)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(column)) + 1])
    at = column[edges]
    low = np.minimum.reduceat(np.minimum(*block.T), edges)
    high = np.maximum.reduceat(np.maximum(*block.T), edges)
    waveform[at, 0] = np.minimum(waveform[at, 0], low)
    waveform[at, 1] = np.maximum(waveform[at, 1], high)
