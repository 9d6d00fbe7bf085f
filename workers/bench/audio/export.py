"""Figures of the kind `export`: exactness, speed, memory."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import soundfile

from stemsvc.demo.render import render_song
from stemsvc.demo.voices import RATE
from stemsvc.jobs.encoding import Encoding
from stemsvc.kinds.export.kind import TARGETS
from workers.bench.audio.running import Sound, memory_figure, run, speed_figure, write_song
from workers.bench.table import Figure, Say

SEED = 95_100  # of a song that nothing was tuned on
SPEED_SECONDS = 240.0


def figures(say: Say, count: int | None = None, *, memory: bool = True, seconds: float = 20.0) -> list[Figure]:
    """The rows of the table, on one song of `seconds`, whatever `count` is."""
    with tempfile.TemporaryDirectory(prefix="stemsvc-bench-") as name:
        folder = Path(name)
        say("export: rendering")
        song = {stem: np.ascontiguousarray(sound.T, np.float32) for stem, sound in render_song(SEED, seconds).items()}

        def files(length: float) -> list[tuple[str, Path]]:
            return [("source", write_song(folder / f"{stem}.wav", each, RATE, length)) for stem, each in song.items()]

        made = [_null(song, folder)]
        say("export: speed")
        timed = run("export", {"targets": list(TARGETS)}, files(SPEED_SECONDS), Encoding())
        made.append(speed_figure("export", "four stems, all targets", SPEED_SECONDS, timed, None, None))
        if memory:
            targets = {"targets": ["zip", "dawproject", "stem.mp4"]}
            made.append(memory_figure("export", targets, files, "four stems", say))
        return made


def _null(song: dict[str, Sound], folder: Path) -> Figure:
    files = [("source", write_song(folder / f"{stem}.wav", each, RATE)) for stem, each in song.items()]
    run("export", {"targets": ["zip"]}, files, Encoding(), folder / "stems.zip")
    with zipfile.ZipFile(folder / "stems.zip") as archive:
        found = [soundfile.read(io.BytesIO(archive.read(name)), dtype="float32")[0] for name in archive.namelist()]
    differ = sum(a.tobytes() != b.tobytes() for a, b in zip(found, song.values(), strict=True))
    return Figure("export: null test", "stems in the zip that differ in a bit", float(differ), "", 0)
