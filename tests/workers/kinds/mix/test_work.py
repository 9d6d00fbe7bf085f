"""Mixes: exact where nothing is asked for, right where something is, and never clipped without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import welch

from stemsvc.errors import UsageError
from stemsvc.jobs.encoding import Encoding
from stemsvc.kinds.mix import KIND
from tests.sounds import Sound, tone
from tests.workers.kinds.running import FLOAT, decoded, float_wav, work
from workers.kinds.base import MadeFile

RATE = 44100
Made = tuple[Sound, MadeFile, dict[str, Any], list[str]]


def noise(seconds: float, seed: int, channels: int = 2, rate: int = RATE) -> Sound:
    return (0.1 * np.random.default_rng(seed).standard_normal((round(seconds * rate), channels))).astype(np.float32)


def mixed(
    folder: Path, sounds: list[Sound | tuple[Sound, int]], encoding: Encoding = FLOAT, more: Any = None, **asked: Any
) -> Made:
    """The samples of the mix, its file, its facts, the codes of its warnings. `more` has settings of each track."""
    files = []
    for number, each in enumerate(sounds):
        samples, rate = each if isinstance(each, tuple) else (each, RATE)
        files.append(("track", float_wav(folder / f"{number}.wav", samples, rate)))
    tracks = more or [{} for _ in sounds]
    with work(KIND, {"tracks": tracks, **asked}, files, encoding) as ran:
        file = ran.made.files["mix"]
        found, _ = decoded(file.path, folder)
        return found, file, dict(ran.made.facts), [each.code for each in ran.warnings]


def level(samples: Sound) -> float:
    """dB of the mean square."""
    return float(10 * np.log10(np.square(samples, dtype=np.float64).mean()))


def gain_at(before: Sound, after: Sound, frequency: float) -> float:
    """dB by which a frequency was changed."""
    bins, one = welch(before[:, 0], RATE, nperseg=4096)
    _, two = welch(after[:, 0], RATE, nperseg=4096)
    near = np.argmin(np.abs(bins - frequency))
    return float(10 * np.log10(two[near] / one[near]))


# --- null tests


def test_one_track_stays_as_it_is_to_the_last_bit(tmp_path: Path) -> None:
    sound = noise(3.0, 1)
    sound[:5] = [[-0.0, 0.0], [1e-30, -1e-38], [1.7, -3.2], [1.0, -1.0], [1e-45, 0.0]]
    found, _, _, warnings = mixed(tmp_path, [sound])

    assert found.tobytes() == sound.tobytes()
    assert warnings == []  # the format keeps what is beyond full scale


def test_with_unity_everywhere_the_mix_is_the_exact_sum(tmp_path: Path) -> None:
    sounds = [noise(2.0, seed) for seed in range(6)]
    found, _, facts, _ = mixed(tmp_path, list(sounds))

    exact = np.sum([sound.astype(np.float64) for sound in sounds], axis=0)
    assert np.abs(found - exact).max() <= 1e-7
    assert (facts["pan_law"], facts["normalise_gain_db"]) == ("balance", None)
    assert [each["audible"] for each in facts["tracks"]] == [True] * 6


def test_the_same_tracks_give_the_same_bytes(tmp_path: Path) -> None:
    asked = [{"eq": {"low": 3.0}, "reverb": {"amount": 0.3}}, {"compressor": {}}]
    hashes = {mixed(tmp_path, [noise(1.0, 1), noise(1.0, 2)], more=asked)[1].digest for _ in range(2)}
    assert len(hashes) == 1


# --- level, pan, time


@pytest.mark.parametrize("gain_db", [-60.0, -6.0, 3.5, 60.0])
def test_a_gain_is_exact(tmp_path: Path, gain_db: float) -> None:
    sound = noise(1.0, 1)
    for found in (
        mixed(tmp_path, [sound], more=[{"gain_db": gain_db}])[0],
        mixed(tmp_path, [sound], gain_db=gain_db)[0],
    ):
        assert level(found) - level(sound) == pytest.approx(gain_db, abs=0.001)


@pytest.mark.parametrize(
    ("law", "pan", "left", "right"),
    [
        ("balance", -1.0, 0.0, None),
        ("balance", 0.5, -6.0206, 0.0),
        ("constant_power", -1.0, 3.0103, None),
        ("constant_power", 0.5, -5.3328, 2.3226),
        ("constant_power", 0.0, 0.0, 0.0),
    ],
)
def test_the_pan_law_is_what_it_is_called(
    tmp_path: Path, law: str, pan: float, left: float | None, right: float | None
) -> None:
    sound = np.repeat(noise(1.0, 1, 1), 2, axis=1)
    found = mixed(tmp_path, [sound], more=[{"pan": pan}], pan_law=law)[0]

    for channel, wanted in enumerate((left, right)):
        if wanted is None:
            assert np.abs(found[:, channel]).max() < 1e-7
        else:
            assert level(found[:, channel]) - level(sound[:, 0]) == pytest.approx(wanted, abs=0.01)


def test_a_track_begins_at_its_sample_and_fades(tmp_path: Path) -> None:
    ones = np.ones((RATE, 2), np.float32) * 0.5
    asked = [{}, {"start": 1.5, "fade_in": 0.1, "fade_out": 0.2}]
    found = mixed(tmp_path, [ones, ones], more=asked)[0]

    first = round(1.5 * RATE)
    assert len(found) == first + RATE
    assert (found[:RATE] == 0.5).all()
    assert (found[RATE:first] == 0).all()
    assert found[first, 0] == 0
    assert found[first + round(0.05 * RATE), 0] == pytest.approx(0.25, abs=1e-4)
    assert (found[first + round(0.1 * RATE) : -round(0.2 * RATE) - 1] == 0.5).all()
    assert found[-1, 0] == 0


def test_tracks_that_are_muted_or_not_solo_are_not_heard(tmp_path: Path) -> None:
    sounds = [noise(1.0, seed) for seed in range(3)]
    assert (mixed(tmp_path, list(sounds), more=[{}, {"solo": True}, {}])[0] == sounds[1]).all()
    assert (mixed(tmp_path, list(sounds), more=[{"mute": True}, {}, {"mute": True}])[0] == sounds[1]).all()
    found, file, facts, _ = mixed(tmp_path, list(sounds), more=[{"mute": True, "solo": True}, {}, {}])
    assert (found == 0).all()
    assert (len(found), file.facts["silent"]) == (RATE, True)
    assert [each["audible"] for each in facts["tracks"]] == [False] * 3


# --- tracks that differ


def test_tracks_of_other_rates_lengths_and_layouts_are_brought_together(tmp_path: Path) -> None:
    slow, mono = tone(1.0, 22050), tone(2.0, 48000, 1)
    found, file, facts, _ = mixed(tmp_path, [(slow, 22050), (mono, 48000)])

    assert (file.facts["sample_rate"], len(found)) == (48000, 96000)  # the highest rate, the longest track
    assert (found[48000:] == np.repeat(mono, 2, axis=1)[48000:]).all()
    assert level(found[4000:40000] - np.repeat(mono, 2, axis=1)[4000:40000]) == pytest.approx(level(slow), abs=0.05)
    assert [each["channels"] for each in facts["tracks"]] == [2, 1]


@pytest.mark.long
def test_forty_tracks_of_a_tenth_of_a_second(tmp_path: Path) -> None:
    sounds = [noise(0.1, seed) * np.float32(0.125) for seed in range(40)]
    found = mixed(tmp_path, list(sounds))[0]
    assert np.abs(found - np.sum(sounds, axis=0, dtype=np.float64)).max() <= 1e-7


def test_a_track_with_nan_is_refused(tmp_path: Path) -> None:
    sound = noise(0.5, 1)
    sound[100] = np.nan
    with pytest.raises(UsageError) as caught:
        mixed(tmp_path, [noise(0.5, 2), sound])
    assert caught.value.code == "samples_not_finite"


# --- clipping


@pytest.mark.parametrize("encoding", [Encoding("flac", "24"), Encoding("wav", "16"), Encoding("mp3")])
def test_a_mix_that_clips_says_so(tmp_path: Path, encoding: Encoding) -> None:
    loud = tone(1.0, RATE) * 3  # -2.5 dBFS
    _, file, _, warnings = mixed(tmp_path, [loud, loud], encoding)

    assert warnings == ["mix_clips"]
    assert file.facts["peak_db"] == pytest.approx(3.52, abs=0.05)


def test_what_is_beyond_full_scale_is_kept_or_normalised(tmp_path: Path) -> None:
    loud = tone(1.0, RATE) * 3
    found, _, _, warnings = mixed(tmp_path, [loud, loud])
    assert (np.abs(found).max() > 1.4, warnings) == (True, [])

    _, file, facts, warnings = mixed(tmp_path, [loud, loud], Encoding("flac", "24"), normalise=True)
    assert (file.facts["true_peak_db"], warnings) == (pytest.approx(-1.0, abs=0.01), [])
    assert facts["normalise_gain_db"] == pytest.approx(-4.52, abs=0.05)


# --- effects


def test_the_equaliser_changes_its_bands(tmp_path: Path) -> None:
    sound = noise(4.0, 1)
    found = mixed(tmp_path, [sound], more=[{"eq": {"low": 6.0, "mid": -6.0, "high": 3.0}}])[0]

    assert gain_at(sound, found, 50) == pytest.approx(6, abs=0.7)
    assert gain_at(sound, found, 1000) == pytest.approx(-6, abs=0.7)
    assert gain_at(sound, found, 15000) == pytest.approx(3, abs=0.7)


def test_a_compressor_makes_loud_parts_quieter(tmp_path: Path) -> None:
    quiet, loud = tone(1.0, RATE) * 0.1, tone(1.0, RATE) * 2
    sound = np.concatenate([quiet, loud])
    found = mixed(tmp_path, [sound], more=[{"compressor": {"threshold_db": -20.0, "ratio": 4.0}}])[0]

    assert len(found) == len(sound)
    assert level(found[: RATE // 2]) == pytest.approx(level(quiet), abs=0.1)
    assert level(loud) - level(found[-RATE // 2 :]) > 5


def test_a_sidechain_follows_the_other_track_which_may_be_muted(tmp_path: Path) -> None:
    pad, kick = tone(2.0, RATE), tone(2.0, RATE, frequency=60.0) * 2
    kick[RATE:] = 0
    for key in ("kick", "2"):
        asked = [{"sidechain": {"from": key}}, {"name": "kick", "mute": True}]
        found = mixed(tmp_path, [pad, kick], more=asked)[0]
        assert level(pad) - level(found[RATE // 2 : RATE]) > 6
        assert level(found[-RATE // 4 :]) == pytest.approx(level(pad), abs=0.2)


def test_a_hall_outlasts_the_track_and_leaves_the_dry_one(tmp_path: Path) -> None:
    click = np.zeros((RATE // 2, 2), np.float32)
    click[100] = 0.5
    found = mixed(tmp_path, [click], more=[{"reverb": {"amount": 0.5, "seconds": 1.0, "predelay_ms": 20.0}}])[0]

    assert found[100, 0] == 0.5
    assert np.abs(found[101 : 100 + round(0.02 * RATE)]).max() < 1e-9
    assert len(found) == RATE // 2 + RATE + round(0.02 * RATE)
    tail = found[100 + round(0.02 * RATE) :]
    assert np.square(tail[: RATE // 10]).sum() > 100 * np.square(tail[RATE // 2 :]).sum()
    assert np.abs(found[-1000:]).max() < 1e-3


@pytest.mark.parametrize(
    ("profile", "frequency", "gain"), [("bass-heavy", 40, 4), ("bright", 17000, 3), ("warm", 60, 2)]
)
def test_a_profile_shapes_the_sum(tmp_path: Path, profile: str, frequency: float, gain: float) -> None:
    sound = noise(4.0, 1)
    found = mixed(tmp_path, [sound], profile=profile)[0]
    assert gain_at(sound, found, frequency) == pytest.approx(gain, abs=0.8)


def test_the_balanced_profile_makes_tracks_equally_loud(tmp_path: Path) -> None:
    sounds = [noise(2.0, 1), noise(2.0, 2) * 0.25]
    facts = mixed(tmp_path, list(sounds), profile="balanced")[2]
    first, second = (each["gain_db"] for each in facts["tracks"])
    assert second - first == pytest.approx(12.04, abs=0.2)
    assert first + second == pytest.approx(0, abs=0.05)
