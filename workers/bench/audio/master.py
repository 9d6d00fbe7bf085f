"""Figures of the kind `master`: the target, the ceiling, the null test, speed, memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from stemsvc.demo.voices import RATE
from stemsvc.jobs.encoding import Encoding
from stemsvc.kinds.master import PRESETS
from workers.audio.loudness import Loudness
from workers.bench.audio.running import FLOAT, Sound, memory_figure, run, speed_figure, write_song
from workers.bench.audio.songs import songs
from workers.bench.table import Figure, Say

FIRST_SEED, SONGS = 8_200_000, 40  # in all settings together; nothing was tuned on these
SPEED_SECONDS = 240.0
TIMES = 8
BLOCK, MARGIN = 1 << 18, 256  # frames


def figures(say: Say, count: int | None = None, *, memory: bool = True, seconds: float = 30.0) -> list[Figure]:
    """The rows of the table, on `count` songs of `seconds`. The presets take turns."""
    count = count or SONGS
    presets = [name for name, preset in PRESETS.items() if preset.loudness is not None]
    with tempfile.TemporaryDirectory(prefix="stemsvc-bench-") as name:
        folder = Path(name)
        off, over = [], []
        for number, each in enumerate(songs(FIRST_SEED, count, seconds)):
            song = each.mixture
            preset = presets[number % len(presets)]
            file, output = write_song(folder / "song.wav", song, RATE), folder / "master.flac"
            asked = {"preset": preset, "intensity": 1.0}
            made = run("master", asked, [("source", file)], Encoding("flac", "24"), output).made
            found, _ = soundfile.read(output, dtype="float32", always_2d=True)
            off.append(abs(_loudness(found) - made.facts["target_lufs"]))
            over.append(true_peak_db(found) - made.facts["ceiling_db"])
            say(f"master: {each.setting} {each.seed} {preset} off {off[-1]:.2f} LU, {over[-1]:+.2f} dB to the ceiling")
        made_here = [
            Figure("master: off the target", f"worst of {count} songs", max(off), " LU", 0.3, 0.1),
            Figure("master: true peak over the ceiling", f"worst, {TIMES} x oversampled", max(over), " dB", 0),
            _null(song, folder),
        ]
        say("master: speed")
        file = write_song(folder / "long.flac", song, RATE, SPEED_SECONDS)
        timed = run("master", {"intensity": 1.0}, [("source", file)], Encoding("flac", "24"))
        made_here.append(speed_figure("master", "all stages, flac 24 to flac 24", SPEED_SECONDS, timed, 30, 60))
        if memory:
            made_here.append(_memory(song, folder, say))
        return made_here


def _memory(song: Sound, folder: Path, say: Say) -> Figure:
    def files(length: float) -> list[tuple[str, Path]]:
        return [("source", write_song(folder / "long.flac", song, RATE, length))]

    return memory_figure("master", {}, files, "all stages", say)


def _null(song: Sound, folder: Path) -> Figure:
    file = write_song(folder / "song.wav", song, RATE)
    run("master", {"preset": "none", "intensity": 0.0}, [("source", file)], FLOAT, folder / "null.wav")
    found, _ = soundfile.read(folder / "null.wav", dtype="float32", always_2d=True)
    same = found.tobytes() == song.tobytes()
    return Figure("master: null test", "intensity 0 and no target, bits that differ: 0 none", float(not same), "", 0)


def _loudness(samples: Sound) -> float:
    meter = Loudness(RATE)
    meter.add(samples)
    return meter.integrated() or 0.0


def true_peak_db(samples: Sound) -> float:
    """The true peak of samples [n, 2] in dB of full scale, by another filter than the limiter's.

    Where a piece is cut off, the filter rings: the pieces' margins do not count.
    """
    most = 0.0
    for start in range(0, len(samples), BLOCK):
        before = min(start, MARGIN)
        piece = samples[start - before : start + BLOCK + MARGIN].astype(np.float64)
        between = resample_poly(piece, TIMES, 1, axis=0)[before * TIMES :][: BLOCK * TIMES]
        most = max(most, float(np.abs(between).max()))
    return float(20 * np.log10(most))
