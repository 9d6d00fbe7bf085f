"""A cancel ends each kind's work where it is: it asks often, in every stage, and nothing goes on behind it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemsvc.jobs.encoding import Encoding
from stemsvc.kinds import master, mix
from stemsvc.kinds.export.kind import KIND as EXPORT
from stemsvc.kinds.generate.kind import KIND as GENERATE
from stemsvc.kinds.registry import AnyKind
from stemsvc.kinds.transcribe.kind import KIND as TRANSCRIBE
from tests.sounds import tone
from tests.workers.audio.analysis.music import beat_times, groove
from tests.workers.kinds.running import float_wav, work
from workers.audio.analysis import chroma, onsets
from workers.audio.analysis.analysis import interpret
from workers.audio.analysis.features import COLUMNS, Features
from workers.audio.analysis.loudness import LoudnessFacts

RATE = 48_000
KINDS: dict[str, tuple[AnyKind, dict[str, Any], str]] = {
    "mix": (mix.KIND, {"tracks": [{"reverb": {"amount": 0.1}}, {}], "normalise": True, "profile": "balanced"}, "track"),
    "master": (master.KIND, {"intensity": 1.0}, "source"),
    "transcribe": (TRANSCRIBE, {}, "source"),
    "export": (EXPORT, {"targets": ["ardour", "samples", "stem.mp4"]}, "source"),
    "generate": (GENERATE, {"prompt": "a dark trap beat at 140", "duration": 20, "stems": True}, ""),
}
STAGES = {
    "mix": ("decoding", "resampling", "measuring", "mixing", "encoding"),
    "master": ("decoding", "resampling", "measuring", "mastering", "limiting", "encoding"),
    "transcribe": ("decoding", "counting", "transcribing", "writing"),
    "export": ("decoding", "counting", "writing", "exporting"),
    "generate": ("composing", "playing", "mixing", "mastering", "listening", "encoding"),
}

NUMBERS = {"master": 1, "generate": 0}  # of tracks that go in; two in all the others


class Canceled(Exception):
    pass


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two tracks of different rates: one is resampled."""
    folder, mono = tmp_path_factory.mktemp("songs"), groove(beat_times(120.0, 13), rate=RATE)
    song = float_wav(folder / "song.wav", np.stack([mono, mono], axis=1) * np.float32(0.4), RATE)
    return [song, float_wav(folder / "bass.wav", tone(2.0, 44100, frequency=110.0), 44100)]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.long
def test_it_asks_in_every_stage_and_ends_in_each(name: str, songs: list[Path]) -> None:
    kind, asked, role = KINDS[name]
    files = [(role, song) for song in songs[: NUMBERS.get(name, 2)]]
    encoding = Encoding("flac", "24", 44100 if name == "master" else None)
    seen: list[str] = []
    gaps: list[float] = []
    before = time.process_time()

    def show(stage: str, done: int, of: int) -> None:
        nonlocal before
        now = time.process_time()
        gaps.append(now - before)
        before = now
        seen.append(stage)

    with work(kind, asked, files, encoding, show):
        pass
    assert set(STAGES[name]) <= set(seen)
    assert max(gaps[1:]) < 1  # of a CPU; the first one has imports in it

    last = STAGES[name][-1]

    def cancel(stage: str, done: int, of: int) -> None:
        seen.append(stage)
        if stage == last:
            raise Canceled

    seen.clear()
    with pytest.raises(Canceled), work(kind, asked, files, encoding, cancel):
        pass
    assert seen[-1] == last
    assert seen.count(last) == 1
    assert not [each.name for each in threading.enumerate() if each.name.startswith(("encode", "decode"))]


@pytest.mark.long
def test_what_an_hour_means_is_found_with_eight_ticks_a_second() -> None:
    """So that a track of eight hours, in which each step takes eight times as long, has one a second."""
    seconds = 3600.0
    rng = np.random.default_rng(8)
    flux = rng.uniform(0, 0.02, (round(seconds * onsets.FRAME_RATE), 3)).astype(np.float32)
    flux[np.round(np.arange(0, seconds, 0.5) * onsets.FRAME_RATE).astype(int)[:-1]] = 0.8  # 120 beats a minute
    tones = rng.uniform(0, 1, (round(seconds * chroma.FRAME_RATE), 24)).astype(np.float32)
    signal = {"silence": {"silent": False}}
    whole = Features(seconds, flux, tones, np.zeros((COLUMNS, 2), np.float32), LoudnessFacts(), signal, 440.0)
    gaps: list[float] = []
    before = time.process_time()

    def tick() -> None:
        nonlocal before
        now = time.process_time()
        gaps.append(now - before)
        before = now

    found = interpret(whole, tick)
    tick()
    assert len(found.pulse.beats) > 3600
    assert max(gaps) < 1 / 8
