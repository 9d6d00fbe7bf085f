"""Figures of the kind `generate`: what the composer was asked for, and what our own analysis hears in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from stemsvc.jobs.encoding import Encoding
from stemsvc.music.genres import genres
from stemsvc.music.keys import Key
from workers.bench.audio.running import run
from workers.bench.table import Figure, Say
from workers.kinds.base import Made

PROMPTS, SECONDS = 60, 30.0
SLOWEST, FASTEST = 60, 200
TARGET_LUFS = -14.0
KEY_STEP, BPM_STEP = 7, 37  # both walk through all of their values
MODES = ("minor", "major")
FLAC = Encoding("flac", "16")


@dataclass(frozen=True)
class Prompt:
    """Words, and what they ask for."""

    text: str
    bpm: float
    key: Key


@dataclass
class _Found:
    tempo: list[bool] = field(default_factory=list)
    key: list[bool] = field(default_factory=list)
    off_length: list[int] = field(default_factory=list)
    off_loudness: list[float] = field(default_factory=list)
    clipped: list[int] = field(default_factory=list)
    highest: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)  # seconds of processors
    scores: list[float] = field(default_factory=list)
    tries: list[int] = field(default_factory=list)

    def note(self, prompt: Prompt, made: Made, took: float, cores: float, seconds: float) -> None:
        heard, mix = made.facts["quality"]["heard"], made.files["mix"].facts
        self.tempo.append(made.facts["quality"]["parts"]["tempo"] == 1)
        self.key.append(heard["key"] is not None and made.facts["quality"]["parts"]["key"] == 1)
        self.off_length.append(abs(int(mix["frames"]) - round(seconds * int(mix["sample_rate"]))))
        self.off_loudness.append(abs(float(mix["loudness_lufs"]) - TARGET_LUFS))
        self.clipped.append(int(mix["clipped_samples"]))
        self.highest.append(float(mix["true_peak_db"]))
        self.seconds.append(took)
        self.cores.append(cores)
        self.scores.append(float(made.facts["quality"]["score"]))
        self.tries.append(int(made.facts["tries"]))
        assert (made.facts["bpm"], made.facts["key"]) == (prompt.bpm, prompt.key.name), prompt.text


def prompts(count: int) -> Iterator[Prompt]:
    """Prompts over all genres, the whole range of tempi and all keys."""
    titles = [genre.title for genre in genres().values()]
    for number in range(count):
        bpm = SLOWEST + (number * BPM_STEP) % (FASTEST - SLOWEST + 1)
        key = Key((number * KEY_STEP) % 12, (number // 12 + number) % 2 == 0)
        yield Prompt(f"{titles[number % len(titles)]} at {bpm} bpm in {key.name}", bpm, key)


def figures(say: Say, count: int = PROMPTS, seconds: float = SECONDS) -> list[Figure]:
    """The rows of the table: `count` pieces of `seconds`, made with their stems."""
    found = _Found()
    for number, prompt in enumerate(prompts(count)):
        asked = {"prompt": prompt.text, "duration": seconds, "stems": True, "seed": number}
        timed = run("generate", asked, [], FLAC)
        found.note(prompt, timed.made, timed.seconds, timed.busy, seconds)
        heard = timed.made.facts["quality"]["heard"]
        say(
            f"generate: {prompt.text}: {heard['bpm']}, {heard['key']}, {found.scores[-1]:.2f}, "
            f"{found.tries[-1]} tries, {timed.seconds:.2f} s"
        )
    return _rows(found, count, seconds)


def _rows(found: _Found, count: int, seconds: float) -> list[Figure]:
    how = f"{count} prompts of {seconds:g} s, by `analyze`"
    again = sum(tries > 1 for tries in found.tries)
    return [
        Figure(
            "generate: tempo within 1 %, octaves aside",
            how,
            100 * float(np.mean(found.tempo)),
            " %",
            98,
            100,
            floor=True,
        ),
        Figure("generate: key, exact", how, 100 * float(np.mean(found.key)), " %", 90, 96, floor=True),
        Figure("generate: length, samples off at most", how, max(found.off_length), "", 0),
        Figure("generate: loudness, LU off -14 at most", how, max(found.off_loudness), "", 1, 0.5),
        Figure(
            "generate: clipped samples at most", f"true peak {max(found.highest):.2f} dBTP", max(found.clipped), "", 0
        ),
        Figure(
            "generate: seconds, median",
            f"mix and four stems as FLAC, judged; {np.median(found.cores):.2f} s of processors; {again} tried again",
            float(np.median(found.seconds)) * 30 / seconds,
            " s for 30 s",
            3,
            2,
        ),
        Figure("generate: technical score, mean", "of 1", float(np.mean(found.scores)), "", 0.9, floor=True),
    ]
