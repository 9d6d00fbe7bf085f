"""Figures of the kind `analyze`: tempo, beats, key, chords, loudness, speed, memory; other libraries beside it."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from stemsvc.demo.voices import RATE
from stemsvc.jobs.encoding import Encoding
from workers.audio.analysis.analysis import Analysis, analyse
from workers.audio.decode import Limits, decode
from workers.audio.track import Track
from workers.bench.audio.ebu import cases
from workers.bench.audio.heard import Heard, Scores, others
from workers.bench.audio.running import memory_figure, run, speed_figure, write_song
from workers.bench.audio.songs import Song, songs
from workers.bench.table import Figure, Say, render
from workers.kinds.local import ran

FIRST_SEED = 8_100_000  # of songs that nothing was tuned on
SONGS, SECONDS = 64, 40.0  # in all settings together, and how long each plays
SPEED_SECONDS = 240.0
MODEL = "demo"  # made for songs like these; others hear better in recordings


ROWS = {  # name, unit, bar, aim
    "tempo": ("tempo within 0.5 %, octave right", " %", 85, 95),
    "octaves": ("tempo within 0.5 %, up to octaves", " %", 97, 99),
    "beats": ("beats, F at 70 ms", "", 0.88, 0.94),
    "downbeats": ("downbeats, F at 70 ms", "", 0.75, 0.85),
    "key": ("key, exact", " %", 85, 93),
    "mirex": ("key, MIREX weighted", "", 0.90, 0.96),
    "chords": ("chords, majmin", "", 0.82, 0.9),
}
HARMONIC = ("key", "mirex", "chords")  # what is heard better in stems
PARTLY = 8  # songs between two tables of those so far


def figures(
    say: Say, count: int | None = None, *, memory: bool = True, seconds: float = SECONDS, stems: bool = True
) -> list[Figure]:
    """The rows of the table, on `count` songs of `seconds`; with `stems`, key and chords come from stems."""
    ways, count = _Ways(stems), count or SONGS
    with tempfile.TemporaryDirectory(prefix="stemsvc-bench-") as name:
        folder = Path(name)
        for number, song in enumerate(songs(FIRST_SEED, count, seconds), 1):
            say(ways.hear(song, folder))
            if number % PARTLY == 0 and number < count:
                say(render(ways.rows()))
        made = [*ways.rows(), *_loudness(say), _speed(folder, song, say)]
        if memory:
            made.append(_memory(folder, song, say))
    return made


class _Ways:
    """The songs so far, by the mixture alone, by stems, by setting, and by other libraries."""

    def __init__(self, stems: bool) -> None:
        self._stems = stems
        self._alone, self._separated = Scores(), Scores()
        self._settings: dict[str, Scores] = {}
        self._others = others()
        self._theirs = {name: Scores() for name in self._others}

    def hear(self, song: Song, folder: Path) -> str:
        """Analyse one more song in every way; returns a line that tells of it."""
        file = write_song(folder / "song.wav", song.mixture, RATE)
        track = decode(file, folder / "song.f32", Limits(1e6))
        found = Heard.of(analyse(track, _quiet))
        for scores in (self._alone, self._settings.setdefault(song.setting, Scores())):
            scores.note(found, song.truth)
        if self._stems:
            self._separated.note(Heard.of(_by_stems(file, track, folder)), song.truth)
        mono = song.mixture.mean(axis=1, dtype=np.float32)
        for name, listen in self._others.items():
            self._theirs[name].note(listen(mono, RATE), song.truth)
        right = "right" if self._alone.tempo[-1] else f"{found.bpm} for {song.truth.bpm:.2f}"
        key, f = self._alone.keys[-1], self._alone.beats[-1]
        return f"analyze: {song.setting} {song.seed} tempo {right}, key {key:g}, F {f:.2f}"

    def rows(self) -> list[Figure]:
        """The table's rows of the songs so far."""
        alone, heard = self._alone.figures, (self._separated if self._stems else self._alone).figures
        made = []
        for key, (name, unit, bar, aim) in ROWS.items():
            beside = {other: found[key] for other, each in self._theirs.items() if key in (found := each.figures)}
            parts = ", ".join(f"{setting} {each.figures[key]:.3g}" for setting, each in self._settings.items())
            scores, detail = self._alone, parts
            if key in HARMONIC and self._stems:
                scores, detail = self._separated, f"by stems; by the mixture alone {alone[key]:.3g}: {parts}"
            if key == "key":
                detail = f"{scores.at_home}; {detail}"
            value = (heard if key in HARMONIC else alone)[key]
            made.append(Figure(f"analyze: {name}", detail, value, unit, bar, aim, floor=True, beside=beside))
        count = len(self._alone.tempo)
        return [replace(made[0], detail=f"{count} songs: {made[0].detail}"), *made[1:]]


def _quiet(done: int, of: int) -> None:
    """Report nothing."""


def _by_stems(file: Path, track: Track, folder: Path) -> Analysis:
    """The analysis whose key and chords come from stems that `MODEL` has made."""
    from stemsvc.kinds.separate.kind import KIND
    from stemsvc.models.catalog import load_catalog
    from stemsvc.settings import Settings

    params = KIND.check(KIND.read({"model": MODEL, "stems": ["minus_drums"]}), ["source"], load_catalog())
    with ran(KIND, params, [("source", file)], Encoding("wav", "float32"), Settings(), lambda *_: None) as made:
        stem = decode(made.made.files["minus_drums"].path, folder / "harmony.f32", Limits(1e6))
        return analyse(track, _quiet, [stem])


def _loudness(say: Say) -> list[Figure]:
    found = list(cases())
    for case in found:
        say(f"analyze: EBU {case.name}: {case.found} for {case.wanted:g}")
    missed = [case.name for case in found if not case.met]
    worst = max(found, key=lambda case: abs(case.error))
    detail = f"{len(found)} signals; furthest off: {worst.name} by {worst.error:+.2f}"
    if missed:
        detail += f"; outside: {', '.join(missed)}"
    return [Figure("analyze: EBU Tech 3341 and 3342, outside the tolerance", detail, len(missed), "", 0)]


def _speed(folder: Path, song: Song, say: Say) -> Figure:
    say("analyze: speed")
    file = write_song(folder / "long.wav", song.mixture, RATE, SPEED_SECONDS)
    ran = run("analyze", {"use_stems": "never"}, [("source", file)], Encoding("flac", "24"))
    return speed_figure("analyze", "a float wav to facts and picture", SPEED_SECONDS, ran, 20, 60)


def _memory(folder: Path, song: Song, say: Say) -> Figure:
    def files(seconds: float) -> list[tuple[str, Path]]:
        return [("source", write_song(folder / "long.wav", song.mixture, RATE, seconds))]

    return memory_figure("analyze", {}, files, "", say)
