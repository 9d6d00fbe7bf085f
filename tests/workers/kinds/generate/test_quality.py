"""The technical score: each fault in a finished piece lowers its own part, and a bad piece is tried again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stemsvc.jobs.encoding import Encoding
from stemsvc.kinds.generate.brief import Brief, settle
from stemsvc.kinds.generate.params import GenerateParams
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from tests.sounds import Sound
from workers.audio.decode import Limits
from workers.audio.track import Track
from workers.kinds.base import Attempt
from workers.kinds.generate.finish import Finished, finish
from workers.kinds.generate.pieces import Piece
from workers.kinds.generate.quality import GOOD, Quality, judge
from workers.kinds.generate.sketch.provider import Sketch
from workers.kinds.generate.work import FURTHER_TRY, best_of_tries
from workers.kinds.local import LocalAttempt

BRIEF = settle(GenerateParams(genre="house", bpm=120, key="A minor", duration=16, seed=3))
Spoil = Callable[[Sound, int], Sound]


def attempt_in(folder: Path) -> LocalAttempt:
    return LocalAttempt(folder, Encoding("wav", "float32"), load_catalog(), Limits(1e9), Settings(), lambda *_: None)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("piece")
    attempt = attempt_in(folder)
    return finish(Sketch(None).make(BRIEF, folder, attempt), folder, attempt)


def heard(made: Finished, spoil: Spoil, folder: Path, brief: Brief = BRIEF, lufs: float | None = -14.0) -> Quality:
    """What is heard in the piece as it is once it was spoilt."""
    samples = np.asarray(spoil(made.mix.read(0, made.mix.frames).copy(), made.mix.sample_rate), np.float32)
    mix = Track(folder / "spoilt.f32", "pcm_f32le", made.mix.sample_rate, 2, len(samples))
    mix.path.write_bytes(samples.tobytes())
    return judge(replace(made, mix=mix, lufs=lufs), brief, attempt_in(folder))


def as_it_is(samples: Sound, rate: int) -> Sound:
    return samples


def clipped(samples: Sound, rate: int) -> Sound:
    return np.clip(8 * samples, -1, 1)


def half_silent(samples: Sound, rate: int) -> Sound:
    samples[len(samples) // 2 :] = 0
    return samples


def shifted(samples: Sound, rate: int) -> Sound:
    return 0.5 * samples + np.float32(0.05)


def with_a_jump(samples: Sound, rate: int) -> Sound:
    samples[-1] = samples[0] + 0.5
    return samples


def noise(samples: Sound, rate: int) -> Sound:
    return np.random.default_rng(1).normal(0, 0.1, samples.shape).astype(np.float32)


def only_lows(samples: Sound, rate: int) -> Sound:
    spectrum = np.fft.rfft(samples, axis=0)
    spectrum[np.fft.rfftfreq(len(samples), 1 / rate) > 150] = 0
    return np.fft.irfft(spectrum, len(samples), axis=0).astype(np.float32)


def test_a_piece_as_it_was_made_is_good(made: Finished, tmp_path: Path) -> None:
    found = heard(made, as_it_is, tmp_path)

    assert found.good
    assert {name: value for name, value in found.parts.items() if value < 1 and name != "beat"} == {}
    assert found.parts["beat"] > 0.4
    assert found.heard["bpm"] == pytest.approx(120, rel=0.01)
    assert found.heard["key"] == "A minor"


@pytest.mark.parametrize(
    ("spoil", "part", "most"),
    [
        (clipped, "unclipped", 0),
        (half_silent, "sounding", 0.1),
        (shifted, "no_dc", 0),
        (with_a_jump, "seam", 0),
        (noise, "tempo", 0),
        (noise, "key", 0.5),
        (noise, "beat", 0.4),
        (only_lows, "balance", 0.6),
    ],
)
def test_each_fault_lowers_its_own_part(made: Finished, spoil: Spoil, part: str, most: float, tmp_path: Path) -> None:
    whole, found = heard(made, as_it_is, tmp_path), heard(made, spoil, tmp_path)

    assert found.parts[part] <= most < whole.parts[part]
    assert found.score < whole.score


@pytest.mark.parametrize("spoil", [clipped, half_silent])
def test_what_nobody_may_hear_is_never_good(made: Finished, spoil: Spoil, tmp_path: Path) -> None:
    assert not heard(made, spoil, tmp_path).good


def test_another_tempo_key_and_loudness_than_asked_for_are_not_right(made: Finished, tmp_path: Path) -> None:
    other = settle(GenerateParams(genre="house", bpm=127, key="Eb minor", duration=16, seed=3))
    found = heard(made, as_it_is, tmp_path, other, lufs=-18.0)

    assert (found.parts["tempo"], found.parts["key"], found.parts["loudness"]) == (0, 0, 0)
    assert not found.good
    assert heard(made, as_it_is, tmp_path, lufs=-16.0).parts["loudness"] == pytest.approx(0.5)
    related = settle(GenerateParams(genre="house", bpm=60, key="C major", duration=16, seed=3))
    found = heard(made, as_it_is, tmp_path, related, lufs=None)
    assert (found.parts["tempo"], found.parts["key"], found.parts["loudness"]) == (1, 0.5, 0)


class Stubborn:
    """Plays as `Sketch` does, but with a silent second half the first so many times."""

    name, composes = "stubborn", True

    def __init__(self, tries: int, bad: int) -> None:
        self.tries, self._bad = tries, bad
        self.seeds: list[int] = []

    def prepare(self, attempt: Attempt) -> None:
        pass

    def make(self, brief: Brief, folder: Path, attempt: Attempt) -> Piece:
        self.seeds.append(brief.seed)
        piece = Sketch(None).make(brief, folder, attempt)
        if len(self.seeds) <= self._bad:
            for track in piece.parts.values():
                samples = half_silent(track.read(0, track.frames).copy(), track.sample_rate)
                track.path.write_bytes(np.asarray(samples, np.float32).tobytes())
        return piece


def test_a_piece_below_the_bar_is_tried_again_with_another_seed(tmp_path: Path) -> None:
    provider = Stubborn(tries=3, bad=1)
    found = best_of_tries(provider, BRIEF, 0, attempt_in(tmp_path))

    assert provider.seeds == [3, 3 + FURTHER_TRY]
    assert found.quality.good
    assert (found.tries, found.brief.seed, found.facts["tries"]) == (2, 3 + FURTHER_TRY, 2)
    assert len(list(tmp_path.iterdir())) == 1  # the worse piece's samples are gone


def test_tries_are_bounded_and_the_best_of_them_is_taken(tmp_path: Path) -> None:
    provider = Stubborn(tries=3, bad=99)
    found = best_of_tries(provider, BRIEF, 0, attempt_in(tmp_path))

    assert provider.seeds == [3 + FURTHER_TRY * turn for turn in range(3)]
    assert not found.quality.good
    assert found.quality.parts["sounding"] < 0.5
    assert found.tries == 3
    assert len(list(tmp_path.iterdir())) == 1


def test_one_good_piece_is_enough(tmp_path: Path) -> None:
    provider = Stubborn(tries=3, bad=0)
    found = best_of_tries(provider, BRIEF, 0, attempt_in(tmp_path))

    assert (provider.seeds, found.tries) == ([3], 1)
    assert found.quality.score >= GOOD
