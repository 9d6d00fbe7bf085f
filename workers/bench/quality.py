"""How well models separate songs whose true stems are known: MUSDB18-HQ, or any folder of its layout."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stemsvc.errors import BadArguments
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.models.entry import ModelEntry
from workers.audio.decode import Limits, decode
from workers.audio.rate import resample_track
from workers.audio.track import Track
from workers.bench.quality_scores import (
    Sound,
    Windows,
    bleedless_and_fullness,
    mean_of,
    median_of,
    museval_sdr,
    si_sdr,
    whole_sdr,
    windows,
)
from workers.bench.table import Say
from workers.engine.mixture import ArrayMixture
from workers.host.models import Models

ENDINGS = {".wav", ".flac", ".aiff", ".aif", ".mp3", ".ogg", ".m4a", ".opus"}
MIXTURE = "mixture"


@dataclass(frozen=True)
class Song:
    """A folder with a file for each true stem. Where there is no `mixture`, it is the sum of the stems."""

    folder: Path
    stems: dict[str, Path]
    mixture: Path | None


@dataclass
class Scores:
    """One stem's scores by one model, a number for each song."""

    museval: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    si_sdr: list[float] = field(default_factory=list)
    bleedless: list[float] = field(default_factory=list)
    fullness: list[float] = field(default_factory=list)


@dataclass
class Result:
    """What one model did: scores by stem, and the seconds it took for the seconds of music that there were."""

    model: str
    cost: float
    stems: dict[str, Scores] = field(default_factory=dict)
    seconds: float = 0.0
    music: float = 0.0


def find_songs(folder: Path) -> list[Song]:
    """The songs in a folder, at any depth. Raises `UsageError` `bad_arguments` where there are none."""
    songs = []
    for each in sorted({path.parent for path in folder.rglob("*") if path.suffix.lower() in ENDINGS}):
        files = {path.stem.lower(): path for path in sorted(each.iterdir()) if path.suffix.lower() in ENDINGS}
        stems = {name: path for name, path in files.items() if name != MIXTURE}
        if len(stems) > 1:
            songs.append(Song(each, stems, files.get(MIXTURE)))
    if not songs:
        raise BadArguments(f"{folder} has no folder with a file for each stem of a song, as MUSDB18-HQ has")
    return songs


def measure(
    songs: Sequence[Song],
    entries: Sequence[ModelEntry],
    models: Models,
    device: str,
    options: SeparationOptions,
    say: Say,
) -> list[Result]:
    """Separate each song with each model, and score every stem of which the truth is known."""
    results = []
    for entry in entries:
        result = Result(entry.name, entry.cost)
        separator = models.get(entry, device, options.precision, entry.stems)
        for song in songs:
            truths = _truths(song, entry)
            wanted = tuple(stem for stem in entry.stems if stem in truths)
            if not wanted:
                say(f"{entry.name}: nothing in {song.folder.name} is one of {', '.join(entry.stems)}")
                continue
            mixture = _mixture(song, entry, truths)
            begun = time.perf_counter()
            pieces = list(separator.separate(ArrayMixture(mixture), wanted, options))
            result.seconds += time.perf_counter() - begun
            result.music += len(mixture) / entry.sample_rate
            made = {stem: np.concatenate([piece[stem] for piece in pieces]) for stem in wanted}
            del pieces
            _score(result, {stem: truths[stem] for stem in wanted}, made, entry.sample_rate)
            say(f"{entry.name}: {song.folder.name}")
        results.append(result)
    return results


def render(results: Sequence[Result]) -> str:
    """A Markdown table: medians over the songs of museval's SDR, means of the others."""
    head = [
        "| model | stem | SDR (museval) | SDR | SI-SDR | bleedless | fullness | seconds a second |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    rows = []
    for result in results:
        pace = result.seconds / result.music if result.music else float("nan")
        for stem, each in result.stems.items():
            means = (mean_of(values) for values in (each.whole, each.si_sdr, each.bleedless, each.fullness))
            figures = " | ".join(f"{value:.2f}" for value in (median_of(each.museval), *means))
            rows.append(f"| `{result.model}` | {stem} | {figures} | {pace:.3g} |")
    return "\n".join([*head, *rows])


def _read(path: Path, rate: int) -> Sound:
    """A file's samples [frames, 2] at a rate."""
    with tempfile.TemporaryDirectory(prefix="stemsvc-") as folder:
        track: Track = decode(path, Path(folder) / "decoded.f32", Limits(math.inf))
        return resample_track(track, rate, Path(folder) / "resampled.f32").samples()


def _truths(song: Song, entry: ModelEntry) -> dict[str, Sound]:
    """The true stems at the model's rate. The rest of a model's stems is the sum of all that it does not predict."""
    predicted = set(entry.stems) - {entry.rest}
    truths = {stem: _read(path, entry.sample_rate) for stem, path in song.stems.items()}
    if entry.rest is not None:
        others = [sound for stem, sound in truths.items() if stem not in predicted]
        truths = {stem: sound for stem, sound in truths.items() if stem in predicted}
        if others and truths:
            truths[entry.rest] = _sum(others)
    return truths


def _mixture(song: Song, entry: ModelEntry, truths: dict[str, Sound]) -> Sound:
    if song.mixture is not None:
        return _read(song.mixture, entry.sample_rate)
    return _sum([_read(path, entry.sample_rate) for path in song.stems.values()])


def _sum(sounds: Sequence[Sound]) -> Sound:
    total = np.zeros((max(map(len, sounds)), 2), np.float32)
    for sound in sounds:
        total[: len(sound)] += sound
    return total


def _score(result: Result, truths: dict[str, Sound], made: dict[str, Sound], rate: int) -> None:
    seconds: dict[str, Windows] = {}
    for stem, truth in truths.items():
        count = min(len(truth), len(made[stem]))
        truths[stem], made[stem] = truth[:count], made[stem][:count]
        seconds[stem] = windows(truths[stem], made[stem], rate)
    by_second = museval_sdr(seconds)
    for stem, truth in truths.items():
        scores = result.stems.setdefault(stem, Scores())
        estimate = made[stem]
        scores.museval.append(by_second[stem])
        at = len(seconds[stem].signal) * rate
        after = truth[at:].astype(np.float64), (truth[at:] - estimate[at:]).astype(np.float64)
        scores.whole.append(whole_sdr(seconds[stem], (float((after[0] ** 2).sum()), float((after[1] ** 2).sum()))))
        scores.si_sdr.append(si_sdr(truth, estimate))
        bleedless, fullness = bleedless_and_fullness(truth, estimate, rate)
        scores.bleedless.append(bleedless)
        scores.fullness.append(fullness)
