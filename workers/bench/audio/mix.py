"""Figures of the kind `mix`: exactness, speed, memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from stemsvc.demo.render import render_song
from stemsvc.demo.voices import RATE
from stemsvc.jobs.encoding import Encoding
from workers.bench.audio.running import FLOAT, Sound, memory_figure, run, speed_figure, write_song
from workers.bench.table import Figure, Say

SEED = 31_000  # of a song that nothing was tuned on
TRACKS = 6
SPEED_SECONDS = 240.0
GAINS_DB = (-40.0, -12.0, -3.0, 6.0)
PANS = (-1.0, -0.5, 0.25, 1.0)


def figures(say: Say, count: int | None = None, *, memory: bool = True, seconds: float = 30.0) -> list[Figure]:
    """The rows of the table, on one song of `seconds`, whatever `count` is."""
    with tempfile.TemporaryDirectory(prefix="stemsvc-bench-") as name:
        folder = Path(name)
        say("mix: rendering")
        song = {stem: np.ascontiguousarray(sound.T, np.float32) for stem, sound in render_song(SEED, seconds).items()}
        sounds = list(song.values())
        made = [_null(sounds, folder), _sum(sounds, folder), _gain(sounds[0], folder), _pan(sounds[0], folder)]
        say("mix: speed")
        tracks = [write_song(folder / f"{n}.flac", _turned(sounds, n), RATE, SPEED_SECONDS) for n in range(TRACKS)]
        timed = run("mix", _asked(TRACKS), [("track", path) for path in tracks], Encoding("flac", "24"))
        made.append(speed_figure(f"mix of {TRACKS}", "flac 24 to flac 24", SPEED_SECONDS, timed, 60, 150))
        if memory:
            made.append(_memory(sounds, folder, say))
        return made


def _asked(count: int, **track: Any) -> dict[str, Any]:
    return {"tracks": [track for _ in range(count)]}


def _turned(sounds: list[Sound], number: int) -> Sound:
    """One of the sounds, shifted so that no two tracks have the same bytes: equal ones are decoded once."""
    return np.roll(sounds[number % len(sounds)], number * RATE, axis=0)


def _mixed(sounds: list[Sound], folder: Path, asked: dict[str, Any]) -> Sound:
    files = [("track", write_song(folder / f"in-{number}.wav", each, RATE)) for number, each in enumerate(sounds)]
    run("mix", asked, files, FLOAT, folder / "out.wav")
    found, _ = soundfile.read(folder / "out.wav", dtype="float32", always_2d=True)
    return np.asarray(found, np.float32)


def _null(sounds: list[Sound], folder: Path) -> Figure:
    found = _mixed(sounds[:1], folder, _asked(1))
    same = found.tobytes() == sounds[0].tobytes()
    return Figure("mix: null test", "one track at unity, bits that differ: 0 none", float(not same), "", 0)


def _sum(sounds: list[Sound], folder: Path) -> Figure:
    exact = np.sum([each.astype(np.float64) for each in sounds], axis=0)
    error = float(np.abs(_mixed(sounds, folder, _asked(len(sounds))) - exact).max())
    return Figure("mix: error of the exact sum", f"{len(sounds)} stems at unity", error, "", 1e-7)


def _level(samples: Sound) -> float:
    return float(10 * np.log10(np.square(samples, dtype=np.float64).mean()))


def _gain(sound: Sound, folder: Path) -> Figure:
    errors = []
    for gain_db in GAINS_DB:
        found = _mixed([sound], folder, _asked(1, gain_db=gain_db))
        errors.append(abs(_level(found) - _level(sound) - gain_db))
    return Figure("mix: error of a gain", f"{GAINS_DB} dB", max(errors), " dB", 0.01)


def _pan(sound: Sound, folder: Path) -> Figure:
    """Both laws against their formulas, on a mono track."""
    mono = np.repeat(sound.mean(axis=1, keepdims=True, dtype=np.float32), 2, axis=1)
    errors = []
    for pan in PANS:
        angle = (pan + 1) * np.pi / 4
        power = np.sqrt(2) * np.array([np.cos(angle), np.sin(angle)])
        balance = np.array([min(1, 1 - pan), min(1, 1 + pan)])
        for law, wanted in (("constant_power", power), ("balance", balance)):
            found = _mixed([mono], folder, {**_asked(1, pan=pan), "pan_law": law})
            errors += [
                abs(_level(found[:, channel]) - _level(mono[:, channel]) - 20 * np.log10(wanted[channel]))
                for channel in (0, 1)
                if wanted[channel] > 1e-6
            ]
    return Figure("mix: error of the pan laws", "balance, constant_power", float(max(errors)), " dB", 0.01)


def _memory(sounds: list[Sound], folder: Path, say: Say) -> Figure:
    def files(seconds: float) -> list[tuple[str, Path]]:
        return [("track", write_song(folder / f"{n}.flac", sounds[n], RATE, seconds)) for n in range(2)]

    asked = _asked(2, eq={"low": 2.0}, reverb={"amount": 0.1})
    return memory_figure("mix", asked, files, "two tracks with effects", say)
