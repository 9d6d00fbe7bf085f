"""What is hard to work on: each kind gives a right result or a clear code."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemsvc.errors import BadOptions, SamplesNotFinite
from stemsvc.kinds import master, mix
from stemsvc.kinds.export.kind import KIND as EXPORT
from stemsvc.kinds.registry import AnyKind
from stemsvc.kinds.transcribe.kind import KIND as TRANSCRIBE
from stemsvc.models.catalog import load_catalog
from tests.sounds import Sound, tone
from tests.workers.kinds.running import decoded, float_wav, work

RATE = 44100
SQUARE = np.sign(np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE))[:, None].repeat(2, axis=1).astype(np.float32)
HARD = {
    "silence": np.zeros((RATE, 2), np.float32),
    "DC": np.full((RATE, 2), 0.5, np.float32),
    "square": SQUARE,
    "0.1 s": tone(0.1, RATE),
    "a rest of 15 s": np.concatenate([tone(1.0, RATE), np.zeros((15 * RATE, 2), np.float32), tone(1.0, RATE)]),
    "one sample": np.full((1, 2), 0.25, np.float32),
}
each_hard = pytest.mark.parametrize("sound", HARD.values(), ids=HARD)


def found(kind: AnyKind, asked: dict[str, Any], files: list[tuple[str, Path]], folder: Path) -> Sound:
    with work(kind, asked, files) as ran:
        return decoded(next(iter(ran.made.files.values())).path, folder)[0]


@each_hard
def test_a_mix_of_it_is_the_exact_sum_and_normalised_it_is_finite(tmp_path: Path, sound: Sound) -> None:
    files = [
        ("track", float_wav(tmp_path / "a.wav", sound)),
        ("track", float_wav(tmp_path / "b.wav", sound * np.float32(0.5))),
    ]

    asked: dict[str, Any] = {"tracks": [{}, {}]}
    assert found(mix.KIND, asked, files, tmp_path).tobytes() == (sound * np.float32(1.5)).tobytes()
    shaped = found(mix.KIND, {**asked, "normalise": True, "profile": "balanced"}, files, tmp_path)
    assert len(shaped) == len(sound)
    assert np.abs(shaped).max() <= 10 ** (-0.99 / 20)


@each_hard
def test_a_song_is_mastered_to_a_reference_that_says_little(tmp_path: Path, sound: Sound) -> None:
    song = tone(1.0, RATE)
    files = [("source", float_wav(tmp_path / "song.wav", song)), ("reference", float_wav(tmp_path / "r.wav", sound))]

    made = found(master.KIND, {"intensity": 1.0}, files, tmp_path)
    assert len(made) == len(song)
    assert 0 < np.abs(made).max() <= 10 ** (-1 / 20)


@each_hard
def test_an_export_has_its_samples(tmp_path: Path, sound: Sound) -> None:
    files = [("source", float_wav(tmp_path / "a.wav", sound))]
    with work(EXPORT, {"targets": ["zip", "samples", "stem.mp4", "reaper"]}, files) as ran:
        assert set(ran.made.files) == {"zip", "samples", "stem.mp4", "reaper"}
        zipfile.ZipFile(ran.made.files["zip"].path).extractall(tmp_path / "zip")
        wav = next((tmp_path / "zip").iterdir())
        assert np.array_equal(decoded(wav, tmp_path)[0], sound)


MANY: dict[str, tuple[AnyKind, dict[str, Any], str]] = {
    "mix": (mix.KIND, {"tracks": [{}, {}]}, "track"),
    "master": (master.KIND, {}, "reference"),
    "transcribe": (TRANSCRIBE, {"bpm": 120.0}, "source"),
    "export": (EXPORT, {"bpm": 120.0}, "source"),
}


@pytest.mark.parametrize("name", MANY)
def test_the_second_file_s_samples_must_be_numbers_too(tmp_path: Path, name: str) -> None:
    kind, asked, role = MANY[name]
    broken = tone(0.2, RATE)
    broken[500, 1] = np.nan
    first = "track" if name == "mix" else "source"
    files = [(first, float_wav(tmp_path / "a.wav", tone(0.2, RATE))), (role, float_wav(tmp_path / "b.wav", broken))]
    with pytest.raises(SamplesNotFinite), work(kind, asked, files):
        pass


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        (mix.KIND, {"tracks": [{"gain_db": 200.0}]}),
        (mix.KIND, {"tracks": [{}], "gain_db": 200.0}),
        *((master.KIND, {name: 200.0}) for name in ("loudness", "ceiling_db", "low_db", "mid_db", "high_db")),
    ],
)
def test_a_gain_of_200_db_is_refused(kind: AnyKind, asked: dict[str, Any]) -> None:
    with pytest.raises(BadOptions, match="200"):
        kind.check(kind.read(asked), [kind.roles[0].name], load_catalog())


@pytest.mark.long
def test_forty_stems_of_other_rates_are_exported(tmp_path: Path) -> None:
    rates = (8000, 44100, 48000, 96000)
    files = [
        (
            "source",
            float_wav(tmp_path / f"{number}.wav", tone(0.1 + number / 400, rates[number % 4]), rates[number % 4]),
        )
        for number in range(40)
    ]
    with work(EXPORT, {"targets": ["ardour", "stem.mp4"]}, files) as ran:
        assert len(ran.made.facts["tracks"]) == 40
