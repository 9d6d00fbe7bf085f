"""Transcriptions of sounds whose notes are known, and of sounds that have none."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from stemsvc.demo.render import render_song
from stemsvc.demo.score import write_score
from stemsvc.demo.voices import RATE
from stemsvc.errors import SamplesNotFinite
from stemsvc.kinds.transcribe.kind import KIND
from tests.sounds import Sound
from tests.workers.kinds.running import float_wav, work
from workers.bench.audio.transcribe import GROUPS, hits, played
from workers.kinds.transcribe import judge, posteriors

SEED, SECONDS = 96_000, 8.0
# The least share of right onsets in one short song; the bars over many are those of `stemsvc bench audio`.
LEAST = {"bass": 0.8, "vocals": 0.55, "other": 0.6, "drums": 0.7}


class Canceled(Exception):
    pass


def written(folder: Path, sounds: dict[str, Sound], rate: int = RATE, **asked: Any) -> dict[str, Any]:
    """The notes' JSON. Each file that is made is opened on the way."""
    files = [("source", float_wav(folder / f"{name}.wav", sound, rate)) for name, sound in sounds.items()]
    with work(KIND, asked, files) as ran:
        for name, file in ran.made.files.items():
            if file.path.suffix == ".mid":
                mido.MidiFile(file.path)
            assert file.bytes > 0, name
        told: dict[str, Any] = json.loads(ran.made.files["notes"].path.read_text())
    return told


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is written of a song that nothing was tuned on."""
    song = {name: np.ascontiguousarray(sound.T) for name, sound in render_song(SEED, SECONDS).items()}
    return written(tmp_path_factory.mktemp("song"), song)


@pytest.mark.parametrize("stem", LEAST)
def test_most_notes_of_a_song_s_stems_are_right(told: dict[str, Any], stem: str) -> None:
    score = write_score(np.random.default_rng(SEED), SECONDS)
    (part,) = (each for each in told["stems"] if each["name"] == stem)
    found = [(note["start"], GROUPS[note["pitch"]] if stem == "drums" else note["pitch"]) for note in part["notes"]]
    true = played(score, stem)
    assert 2 * hits(found, true) / (len(found) + len(true)) >= LEAST[stem]


def test_the_drums_are_on_the_tenth_channel_and_each_stem_has_its_program(told: dict[str, Any]) -> None:
    assert {part["name"]: (part["channel"] == 10, part["program"]) for part in told["stems"]} == {
        "drums": (True, 1), "bass": (False, 34), "other": (False, 5), "vocals": (False, 54)
    }  # fmt: skip


def test_a_voice_sings_one_note_at_a_time_and_every_note_has_a_length(told: dict[str, Any]) -> None:
    for part in told["stems"]:
        notes = part["notes"]
        assert all(0 <= note["start"] < note["end"] <= SECONDS + 0.2 for note in notes)
        assert all(1 <= note["velocity"] <= 127 for note in notes)
        if part["name"] in ("bass", "vocals"):
            assert all(a["end"] <= b["start"] + 0.02 for a, b in itertools.pairwise(notes))


NOTHING = {
    "silence": np.zeros((RATE, 2), np.float32),
    "a tenth of a second": np.full((RATE // 10, 2), 0.25, np.float32),
}


@pytest.mark.parametrize("sound", NOTHING.values(), ids=NOTHING)
@pytest.mark.parametrize("stem", ["drums", "bass"])
def test_what_has_no_notes_makes_empty_files(tmp_path: Path, sound: Sound, stem: str) -> None:
    found = written(tmp_path, {stem: sound})
    assert len(found["stems"][0]["notes"]) <= 1
    assert found["key"] is None


def test_other_weights_are_another_version() -> None:
    """What was cached by the weights before would be told as theirs: raise `KIND.version` with the hashes."""
    told = (KIND.version, *(judge.SHA256[name][:8] for name in ("notes", "drums")), posteriors.SHA256[:8])
    assert told == (2, "185a55c4", "f2e42da8", "2c3c1d14")


REST = 14 * RATE  # frames: more than one of the blocks that are worked on at once lies in it whole
RESTS = {
    "silence": np.zeros((REST, 2), np.float32),
    "hiss": (3e-4 * np.random.default_rng(2).standard_normal((REST, 2))).astype(np.float32),
    "hum": (0.02 * np.sin(2 * np.pi * 50 * np.arange(REST) / RATE))[:, None].repeat(2, axis=1).astype(np.float32),
}


@pytest.mark.parametrize(
    ("stem", "rest"), [*(("drums", rest) for rest in RESTS), ("bass", "hiss"), ("other", "silence"), ("vocals", "hum")]
)
def test_a_stem_may_rest(tmp_path: Path, stem: str, rest: str) -> None:
    sound = np.ascontiguousarray(render_song(SEED, 4.0)[stem].T)
    resting = np.concatenate([sound, RESTS[rest], sound])

    (part,) = written(tmp_path, {stem: resting}, bpm=120.0)["stems"]
    starts = np.array([note["start"] for note in part["notes"]])
    resumes = 4.0 + REST / RATE - 0.1
    assert (starts < 4.0).any()
    assert (starts >= resumes).any()
    # what dies away may still be heard at the start of the rest, and a hum is a tone
    assert ((starts > 5.0) & (starts < resumes)).sum() <= (0 if stem == "drums" else 4)


def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SamplesNotFinite):
        written(tmp_path, {"bass": np.full((RATE, 2), np.nan, np.float32)})


HARD = {
    "DC": np.full((2 * RATE, 1), 0.5, np.float32),
    "a square at full scale": np.sign(np.sin(2 * np.pi * 220 * np.arange(2 * RATE) / RATE))[:, None].astype(np.float32),
    "beyond full scale": (40 * np.random.default_rng(1).standard_normal((RATE, 2))).astype(np.float32),
}


@pytest.mark.parametrize("sound", HARD.values(), ids=HARD)
def test_hard_sounds_come_through(tmp_path: Path, sound: Sound) -> None:
    written(tmp_path, {"other": sound}, bpm=100.0)


def test_tracks_of_other_lengths_and_rates_are_written_down_together(tmp_path: Path) -> None:
    time = np.arange(3 * 8000) / 8000
    low = (0.5 * np.sin(2 * np.pi * 110 * time)).astype(np.float32)[:, None]
    files = [("source", float_wav(tmp_path / "bass.wav", low, 8000)), ("source", tmp_path / "click.wav")]
    float_wav(tmp_path / "click.wav", np.eye(1, 96_000, 9600, dtype=np.float32).T, 96_000)
    with work(KIND, {"bpm": 90.0, "stems": ["bass", "drums"]}, files) as ran:
        assert ran.made.facts["duration_seconds"] == pytest.approx(3.0)
        assert ran.made.facts["tempo"] == "asked"


def test_quantise_off_and_a_grid_of_no_strength_write_the_same_times(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    sound = np.repeat(rng.standard_normal((2 * RATE, 1)) * (np.arange(2 * RATE) % 11_025 < 900)[:, None], 2, 1)
    off, weak, full = (
        written(tmp_path, {"drums": sound.astype(np.float32)}, bpm=113.0, **how)["stems"]
        for how in ({}, {"quantise": "1/8", "strength": 0.0}, {"quantise": "1/8"})
    )
    assert off == weak
    assert all(abs(note["start"] * 113 / 30 % 1 - 0.5) > 0.49 for note in full[0]["notes"])


def test_a_cancel_ends_the_work_where_it_is(tmp_path: Path) -> None:
    seen: list[str] = []

    def show(stage: str, done: int, of: int) -> None:
        seen.append(stage)
        if stage == "transcribing":
            raise Canceled

    files = [("source", float_wav(tmp_path / "bass.wav", 0.1 * np.ones((RATE, 2), np.float32)))]
    with pytest.raises(Canceled), work(KIND, {"bpm": 100.0}, files, show=show):
        pass
    assert seen[-1] == "transcribing"
