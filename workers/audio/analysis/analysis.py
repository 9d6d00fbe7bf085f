"""All that is found in a track, in the names that its facts have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.audio.analysis import chroma
from workers.audio.analysis.beats import Beats, find_beats
from workers.audio.analysis.chords import SILENCE, Chord, decode, find_chords, fits, loop, repeated, sounding
from workers.audio.analysis.features import Features, OnRead, read_features
from workers.audio.analysis.key import Key, find_key
from workers.audio.analysis.meter import by_beat
from workers.audio.analysis.progression import progression
from workers.audio.analysis.pulse import Tick
from workers.audio.analysis.sections import Section, find_sections
from workers.audio.track import Track

GRID_SECONDS = 0.5  # between the moments at which chords are looked for in a track without a pulse
USUAL_BARS = 4  # of a phrase, where the harmony does not repeat itself
LEAST_SECONDS = 2.0  # of music, to name its key and chords
MOST_LISTED = 5000  # entries of a list in a job's facts: `analysis.json` has them all


@dataclass(frozen=True)
class Analysis:
    """What was found; None and empty where nothing can be said."""

    features: Features
    pulse: Beats
    key: Key | None
    chords: tuple[Chord, ...]
    sections: tuple[Section, ...]

    @property
    def facts(self) -> dict[str, Any]:
        """As JSON, whole."""
        key, pulse = self.key, self.pulse
        return {
            "duration_seconds": self.features.seconds,
            "bpm": pulse.bpm,
            "bpm_confidence": pulse.confidence if pulse.bpm is not None else None,
            "bpm_candidates": [{"bpm": each.bpm, "score": each.score} for each in pulse.candidates],
            "steady": pulse.steady if pulse.bpm is not None else None,
            "time_signature": pulse.time_signature,
            "beats": list(pulse.beats),
            "downbeats": list(pulse.downbeats),
            "key": key.name if key else None,
            "key_confidence": key.confidence if key else None,
            "camelot": key.camelot if key else None,
            "open_key": key.open_key if key else None,
            "tuning_hz": self.features.tuning_hz,
            "chords": [asdict(each) for each in self.chords],
            "sections": [asdict(each) for each in self.sections],
            "loudness": asdict(self.features.loudness),
            **self.features.signal,
        }

    @property
    def brief(self) -> dict[str, Any]:
        """The facts without lists that are too long for a job's row: those are null."""
        return {
            name: None if isinstance(value, list) and len(value) > MOST_LISTED else value
            for name, value in self.facts.items()
        }


def analyse(track: Track, on_read: OnRead, harmony: Sequence[Track] = ()) -> Analysis:
    """Analyse a decoded track; key and chords come from the stems `harmony`, where they are given.

    `on_read` is called many times a second; what it raises passes. Memory grows by 2.5 kB for each second.
    """
    features = read_features(track, on_read, harmony)
    return interpret(features, lambda: on_read(track.frames, track.frames))


def interpret(features: Features, on_tick: Tick) -> Analysis:
    """What the features say."""
    flux, tones, seconds = features.flux, features.tones, features.seconds
    pulse = find_beats(flux, tones, seconds, on_tick)
    if features.signal["silence"]["silent"] or seconds < LEAST_SECONDS:
        return Analysis(features, Beats(), None, (), ())
    beats, downbeats = np.array(pulse.beats), np.array(pulse.downbeats)
    times = beats if len(beats) > 1 else np.arange(0, seconds, GRID_SECONDS)
    bar = int(pulse.time_signature[0]) if pulse.time_signature else 4
    on_tick()
    key = key_of(times, downbeats, tones, bar, on_tick)
    on_tick()
    chords = find_chords(times, downbeats, tones, seconds, (key.tonic, key.minor), bar, on_tick) if key else []
    on_tick()
    starts = downbeats if len(downbeats) > 1 else times[::4]
    sections = find_sections(starts, flux, tones, seconds)
    return Analysis(features, pulse, key, tuple(chords), tuple(sections))


def key_of(
    times: NDArray[np.float64], downbeats: NDArray[np.float64], tones: NDArray[np.float32], bar: int, on_tick: Tick
) -> Key | None:
    """The key of chroma [frames, 24] with beats at `times`; None where there are none, or no pitch stands out."""
    beat = by_beat(tones, times, chroma.FRAME_RATE)
    if not len(beat) or beat.max() <= 0:
        return None
    starts = np.isin(times, downbeats) if len(downbeats) else None
    triads = np.where(sounding(beat), decode(fits(repeated(beat, bar)), starts, on_tick=on_tick), SILENCE)
    first = int(starts.argmax()) if starts is not None else 0
    return find_key(beat.sum(axis=0), progression(triads, loop(beat, bar) or USUAL_BARS * bar, bar, first))
