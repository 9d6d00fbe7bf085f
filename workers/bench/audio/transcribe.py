"""Figures of the kind `transcribe`: how many notes are right, by who played them, speed, memory."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemsvc.demo.render import render_song
from stemsvc.demo.score import Score
from stemsvc.demo.voices import RATE
from stemsvc.jobs.encoding import Encoding
from workers.bench.audio.running import memory_figure, run, speed_figure, write_song
from workers.bench.audio.songs import songs
from workers.bench.table import Figure, Say

FIRST_SEED, SONGS = 8_300_000, 60  # in all settings together; nothing was tuned on these
SECONDS, SPEED_SECONDS = 12.0, 240.0
NEAR = 0.05  # seconds by which an onset may be off
# Drums that count as one: what a listener would not mix up. Keys of General MIDI.
GROUPS = {36: "kick", 38: "snare", 39: "snare", 42: "hat", 46: "hat", 70: "hat", 47: "tom", 49: "cymbal", 51: "cymbal"}
PLAYED = {"kick": "kick", "snare": "snare", "clap": "snare", "hat": "hat", "open_hat": "hat", "shaker": "hat"}
PLAYED |= {"tom": "tom", "low_tom": "tom", "crash": "cymbal", "ride": "cymbal"}
BARS = {"bass": (0.84, 0.92), "other": (0.68, 0.78), "vocals": (0.58, 0.70), "drums": (0.80, 0.90)}
Onsets = list[tuple[float, Any]]  # seconds, and a pitch or a drum
Counts = NDArray[np.float64]  # of hits, of notes written, of notes played


def figures(say: Say, count: int | None = None, *, memory: bool = True) -> list[Figure]:
    """The rows of the table, on `count` songs."""
    with tempfile.TemporaryDirectory(prefix="stemsvc-bench-") as name:
        folder = Path(name)
        made = _right(say, count or SONGS, folder)
        say("transcribe: speed")
        sounds = render_song(FIRST_SEED, 30.0)
        song = {stem: np.ascontiguousarray(sound.T, np.float32) for stem, sound in sounds.items()}

        def files(seconds: float) -> list[tuple[str, Path]]:
            return [("source", write_song(folder / f"{stem}.wav", song[stem], RATE, seconds)) for stem in BARS]

        timed = run("transcribe", {}, files(SPEED_SECONDS), Encoding())
        made.append(speed_figure("transcribe", "four stems", SPEED_SECONDS, timed, 12, 25))
        if memory:
            made.append(memory_figure("transcribe", {}, files, "four stems", say))
        return made


def _right(say: Say, count: int, folder: Path) -> list[Figure]:
    """The share of right onsets: hits, notes written and notes played are summed over all songs."""
    counts: dict[str, dict[str, Counts]] = {stem: defaultdict(lambda: np.zeros(3)) for stem in BARS}
    for number, song in enumerate(songs(FIRST_SEED, count, SECONDS), 1):
        if number % 10 == 1:
            say(f"transcribe: song {number} of {count}")
        files = [("source", write_song(folder / f"{stem}.wav", song.stems[stem].T, RATE)) for stem in BARS]
        written = _written(files)
        for stem in BARS:
            truth = played(song.score, stem)
            counts[stem][song.setting] += (hits(written[stem], truth), len(written[stem]), len(truth))
    return [
        Figure(
            f"transcribe: onset F, {stem}",
            f"{count} songs of {SECONDS:.0f} s, within {NEAR * 1000:.0f} ms: "
            + ", ".join(f"{setting} {_f_measure(each):.3g}" for setting, each in by_setting.items()),
            _f_measure(np.sum(list(by_setting.values()), axis=0)),
            "",
            *BARS[stem],
            floor=True,
        )
        for stem, by_setting in counts.items()
    ]


def _f_measure(counts: Counts) -> float:
    right, heard, true = counts
    return float(2 * right / max(1, heard + true))


def _written(files: list[tuple[str, Path]]) -> dict[str, Onsets]:
    """What is written for each stem, by the notes' JSON."""
    from stemsvc.kinds.transcribe.kind import KIND
    from stemsvc.models.catalog import load_catalog
    from stemsvc.settings import Settings
    from workers.kinds.local import ran

    params = KIND.check(KIND.read({"bpm": 120.0}), [role for role, _ in files], load_catalog())
    with ran(KIND, params, files, Encoding(), Settings(), lambda *_: None) as found:
        told = json.loads(found.made.files["notes"].path.read_text())
    return {
        stem["name"]: [(note["start"], GROUPS[note["pitch"]] if drums else note["pitch"]) for note in stem["notes"]]
        for stem in told["stems"]
        for drums in [stem["name"] == "drums"]
    }


def played(score: Score, stem: str) -> Onsets:
    """What a song's score has for a stem; two players of one note at one time are one."""
    if stem == "drums":
        found: Onsets = [(hit.start, PLAYED[hit.drum]) for hit in score.drums]
    else:
        parts = {"bass": score.bass, "vocals": score.vocals, "other": [n for part in score.other for n in part]}
        found = [(note.start, note.pitch) for note in parts[stem]]
    kept: Onsets = []
    last: dict[Any, float] = {}
    for start, what in sorted(found):
        if start < score.seconds - 0.1 and start - last.get(what, -1.0) > 0.03:
            kept.append((start, what))
            last[what] = start
    return kept


def hits(written: Onsets, truth: Onsets, near: float = NEAR) -> int:
    """How many of the truth's onsets have one written for them, each at most once."""
    count = 0
    for what in {what for _, what in truth}:
        ours = sorted(start for start, each in written if each == what)
        true = sorted(start for start, each in truth if each == what)
        a = b = 0
        while a < len(ours) and b < len(true):
            if abs(ours[a] - true[b]) <= near:
                count, a, b = count + 1, a + 1, b + 1
            elif ours[a] < true[b]:
                a += 1
            else:
                b += 1
    return count
