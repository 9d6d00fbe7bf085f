"""What an analysis said of a song, and what became of many songs: by us, and by other libraries beside us."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from workers.audio.analysis.analysis import Analysis
from workers.audio.analysis.chords import NAMES, Chord
from workers.audio.analysis.key import PROFILES
from workers.bench.audio.scores import chord_overlap, f_measure, key_score, tempo_right
from workers.bench.audio.songs import Truth

Mono = NDArray[np.float32]


@dataclass(frozen=True)
class Heard:
    """Times are seconds; a key is its tonic and whether it is minor. None is what a library does not tell at all."""

    bpm: float | None
    beats: Sequence[float]
    key: tuple[int, bool] | None
    downbeats: Sequence[float] | None = None
    chords: Sequence[Chord] | None = None

    @classmethod
    def of(cls, found: Analysis) -> Heard:
        """What our analysis said."""
        key, pulse = found.key, found.pulse
        return cls(pulse.bpm, pulse.beats, (key.tonic, key.minor) if key else None, pulse.downbeats, found.chords)


@dataclass
class Scores:
    """What became of the songs, by one way to analyse them: a number for each song, seconds for chords."""

    tempo: list[float] = field(default_factory=list)
    octaves: list[float] = field(default_factory=list)
    beats: list[float] = field(default_factory=list)
    downbeats: list[float] = field(default_factory=list)
    keys: list[float] = field(default_factory=list)
    homes: list[bool] = field(default_factory=list)  # whether the tonic's triad sounds
    chords: list[tuple[float, float]] = field(default_factory=list)

    def note(self, heard: Heard, true: Truth) -> None:
        """Score one song."""
        self.tempo.append(tempo_right(heard.bpm, true.bpm))
        self.octaves.append(tempo_right(heard.bpm, true.bpm, octaves=True))
        self.beats.append(f_measure(heard.beats, true.beats))
        self.keys.append(key_score(*heard.key, true) if heard.key else 0.0)
        self.homes.append(true.home)
        if heard.downbeats is not None:
            self.downbeats.append(f_measure(heard.downbeats, true.downbeats))
        if heard.chords is not None:
            self.chords.append(chord_overlap(heard.chords, true))

    @property
    def at_home(self) -> str:
        """The share of right keys among the songs in which the tonic's triad sounds, in words."""
        keys = np.array(self.keys)[np.array(self.homes, bool)]
        return (
            f"{100 * np.mean(keys == 1):.3g} of the {len(keys)} in which the tonic's triad sounds" if len(keys) else ""
        )

    @property
    def figures(self) -> dict[str, float]:
        """The figures of the table by their names; those alone of which something was told."""
        chords = sum(right for right, _ in self.chords) / max(1e-9, sum(whole for _, whole in self.chords))
        found = {
            "tempo": 100 * np.mean(self.tempo),
            "octaves": 100 * np.mean(self.octaves),
            "beats": np.mean(self.beats),
            "key": 100 * np.mean(np.array(self.keys) == 1),
            "mirex": np.mean(self.keys),
            **({"downbeats": np.mean(self.downbeats)} if self.downbeats else {}),
            **({"chords": chords} if self.chords else {}),
        }
        return {name: float(value) for name, value in found.items()}


def others() -> dict[str, Callable[[Mono, int], Heard]]:
    """Libraries that are installed beside us. essentia is AGPL: nothing of ours brings it along."""
    known = {"librosa": _librosa, "libsonare": _libsonare, "essentia": _essentia}
    return {name: listen for name, listen in known.items() if importlib.util.find_spec(name)}


def _librosa(mono: Mono, rate: int) -> Heard:
    """Its tempo is one of a coarse grid, so that of its beats is told; its key is the best profile's on its chroma."""
    import librosa

    _, beats = librosa.beat.beat_track(y=mono, sr=rate, units="time")
    bpm = 60 / float(np.polyfit(np.arange(len(beats)), beats, 1)[0]) if len(beats) > 2 else None
    tones = librosa.feature.chroma_cqt(y=mono, sr=rate).sum(axis=1)
    fits = [np.corrcoef(tones, np.roll(PROFILES[-1][minor], tonic))[0, 1] for minor in range(2) for tonic in range(12)]
    best = int(np.argmax(fits))
    return Heard(bpm, beats.tolist(), (best % 12, best >= 12))


def _libsonare(mono: Mono, rate: int) -> Heard:
    import libsonare

    found = libsonare.analyze(mono, rate)
    beats = list(found.beat_times)
    suffix = {"major": "", "minor": "m"}
    chords = [
        Chord(each.start, each.end, f"{NAMES[int(each.root)]}{suffix.get(each.quality, each.quality)}")
        for each in found.chords
    ]
    key = int(found.key.root), "minor" in str(found.key.mode).lower()
    return Heard(found.bpm, beats, key, [beats[at] for at in found.downbeat_indices], chords)


def _essentia(mono: Mono, rate: int) -> Heard:
    import essentia.standard as essentia

    sound = essentia.Resample(inputSampleRate=rate, outputSampleRate=44100)(mono)
    bpm, beats, *_ = essentia.RhythmExtractor2013(method="multifeature")(sound)
    tonic, scale, _ = essentia.KeyExtractor(profileType="bgate")(sound)
    sharps = {"Db": "C#", "D#": "Eb", "Gb": "F#", "G#": "Ab", "A#": "Bb"}
    return Heard(float(bpm), beats.tolist(), (NAMES.index(sharps.get(tonic, tonic)), scale == "minor"))
