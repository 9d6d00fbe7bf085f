"""Masters: untouched where nothing is asked for, on their loudness and under their ceiling where something is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import butter, resample_poly, sosfilt, welch

from stemsvc.errors import UsageError
from stemsvc.jobs.encoding import Encoding
from stemsvc.kinds.master import KIND
from tests.sounds import Sound, tone
from tests.workers.kinds.running import FLOAT, decoded, float_wav, work
from workers.audio.loudness import Loudness
from workers.kinds.base import MadeFile

RATE = 44100
Made = tuple[Sound, MadeFile, dict[str, Any], list[str]]


def song(seconds: float = 4.0, seed: int = 1, top: float = 6000.0) -> Sound:
    """Dull noise with a beat in it, whose channels are a little apart."""
    noise = np.random.default_rng(seed).standard_normal((round(seconds * RATE), 2))
    noise = sosfilt(butter(1, top, fs=RATE, output="sos"), noise, axis=0)
    beat = np.exp(-8 * (np.arange(len(noise)) / RATE % 0.5))[:, None]
    middle = noise.mean(axis=1, keepdims=True)
    return np.asarray(0.2 * (0.2 + beat) * (middle + 0.3 * (noise - middle)), np.float32)


def mastered(
    folder: Path,
    samples: Sound,
    encoding: Encoding = FLOAT,
    rate: int = RATE,
    reference: Sound | None = None,
    **asked: Any,
) -> Made:
    files = [("source", float_wav(folder / "song.wav", samples, rate))]
    if reference is not None:
        files.append(("reference", float_wav(folder / "reference.wav", reference, RATE)))
    with work(KIND, asked, files, encoding) as ran:
        file = ran.made.files["master"]
        found, _ = decoded(file.path, folder)
        return found, file, dict(ran.made.facts), [each.code for each in ran.warnings]


def loudness(samples: Sound) -> float:
    meter = Loudness(RATE)
    meter.add(samples)
    found = meter.integrated()
    assert found is not None
    return found


def true_peak_db(samples: Sound) -> float:
    """Eight times oversampled by another filter than the limiter's."""
    return float(20 * np.log10(np.abs(resample_poly(samples.astype(np.float64), 8, 1, axis=0)).max()))


# --- null tests


@pytest.mark.parametrize("asked", [{"intensity": 0.0, "preset": "none"}, {"intensity": 1.0, "preset": "none"}])
def test_what_asks_for_nothing_changes_nothing(tmp_path: Path, asked: dict[str, Any]) -> None:
    samples = song()
    samples[:3] = [[-0.0, 1e-38], [1.5, -2.5], [1.0, -1.0]]
    found, _, facts, warnings = mastered(tmp_path, samples, **asked)

    assert found.tobytes() == samples.tobytes()
    assert (facts["stages"], facts["gain_db"], warnings) == ([], 0, [])
    assert {name: facts["after"][name] for name in facts["before"]} == facts["before"]


def test_at_intensity_0_a_preset_is_a_gain_alone(tmp_path: Path) -> None:
    samples = song()
    found, _, facts, _ = mastered(tmp_path, samples, preset="broadcast", intensity=0.0)

    assert np.abs(found - samples * 10 ** (facts["gain_db"] / 20)).max() < 1e-5
    assert facts["limiter"]["most_reduction_db"] == 0


# --- loudness and ceiling


@pytest.mark.parametrize("preset", ["streaming", "apple", "cd", "club", "broadcast", "podcast"])
def test_each_preset_is_on_its_loudness_and_under_its_ceiling(tmp_path: Path, preset: str) -> None:
    found, _, facts, warnings = mastered(tmp_path, song(), Encoding("flac", "24"), preset=preset, intensity=1.0)

    assert warnings == []
    assert loudness(found) == pytest.approx(facts["target_lufs"], abs=0.1)
    assert true_peak_db(found) <= facts["ceiling_db"]
    assert facts["after"]["true_peak_db"] <= facts["ceiling_db"]
    names = [each["stage"] for each in facts["stages"]]
    assert [name for name in ("eq", "compression", "saturation", "width") if name in names] == names
    assert all(each["rms_out_db"] is not None and each["parameters"] for each in facts["stages"])


def test_own_values_go_before_those_of_the_preset(tmp_path: Path) -> None:
    found, _, facts, _ = mastered(tmp_path, song(), loudness=-18.0, ceiling_db=-6.0, width=1.0, compression=0.0)

    assert loudness(found) == pytest.approx(-18, abs=0.1)
    assert true_peak_db(found) <= -6
    assert [each["stage"] for each in facts["stages"]] == ["eq", "saturation"]


def test_a_full_scale_square_is_held(tmp_path: Path) -> None:
    square = np.repeat(np.sign(np.sin(np.arange(2 * RATE) * 2 * np.pi * 997 / RATE))[:, None], 2, axis=1)
    found, _, _, _ = mastered(tmp_path, square.astype(np.float32), preset="club")
    assert true_peak_db(found) <= -0.5


def test_a_loudness_that_no_ceiling_allows_is_said(tmp_path: Path) -> None:
    clicks = np.zeros((4 * RATE, 2), np.float32)
    clicks[:: RATE // 4] = 0.5
    found, _, _, warnings = mastered(tmp_path, clicks, loudness=-5.0, ceiling_db=-10.0)
    assert warnings == ["target_not_reached"]
    assert true_peak_db(found) <= -10


# --- a reference


def test_a_reference_gives_tone_width_and_loudness_within_bounds(tmp_path: Path) -> None:
    dull, bright = song(6.0, 1, 1500.0), song(6.0, 2, 15000.0)
    found, _, facts, _ = mastered(tmp_path, dull, reference=bright, preset="none", intensity=1.0)

    gains = facts["stages"][0]["parameters"]["gains_db"]
    assert facts["stages"][0]["stage"] == "match"
    assert max(map(abs, gains.values())) <= 6.0
    assert loudness(found) == pytest.approx(facts["reference"]["loudness_lufs"], abs=0.1)

    def far(samples: Sound) -> float:
        """How far its tone is from the reference's."""
        one, two = (10 * np.log10(welch(each[:, 0], RATE, nperseg=512)[1][2:120]) for each in (samples, bright))
        return float(np.std(one - two))

    assert far(found) < 0.7 * far(dull)


def test_a_mono_reference_narrows_within_bounds(tmp_path: Path) -> None:
    reference = np.ascontiguousarray(song(3.0, 3)[:, :1])
    _, _, facts, _ = mastered(tmp_path, song(), reference=reference, intensity=1.0)
    width = next(each for each in facts["stages"] if each["stage"] == "width")
    assert width["parameters"]["factor"] == pytest.approx(10 ** (-3 / 20), abs=0.001)


# --- songs that are none


@pytest.mark.parametrize("samples", [np.zeros((RATE, 2), np.float32), song(0.1)])
def test_what_has_no_loudness_keeps_its_level(tmp_path: Path, samples: Sound) -> None:
    found, _, facts, warnings = mastered(tmp_path, samples, intensity=0.0)
    assert warnings == ["loudness_unmeasured"]
    assert found.tobytes() == samples.tobytes()
    assert facts["after"]["loudness_lufs"] is None


def test_a_constant_is_held_under_the_ceiling(tmp_path: Path) -> None:
    found = mastered(tmp_path, np.full((RATE, 2), 0.25, np.float32))[0]
    assert len(found) == RATE
    assert np.abs(found).max() <= 10 ** (-1 / 20)


def test_a_mono_song_stays_mono(tmp_path: Path) -> None:
    found, file, facts, _ = mastered(tmp_path, tone(2.0, 22050, 1), rate=22050, preset="podcast")
    assert (file.facts["channels"], file.facts["sample_rate"], facts["target_lufs"]) == (1, 22050, -19)
    assert file.facts["loudness_lufs"] == pytest.approx(-19, abs=0.1)
    assert len(found) == 44100


def test_nan_is_refused(tmp_path: Path) -> None:
    samples = song(0.5)
    samples[9] = np.nan
    with pytest.raises(UsageError) as caught:
        mastered(tmp_path, samples)
    assert caught.value.code == "samples_not_finite"


@pytest.mark.parametrize(
    "asked", [{"loudness": 3.0}, {"ceiling_db": 1.0}, {"intensity": 1.1}, {"preset": "loud"}, {"width": float("nan")}]
)
def test_what_no_master_can_be_is_refused(tmp_path: Path, asked: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        mastered(tmp_path, song(0.5), **asked)
    assert caught.value.code == "bad_options"


def gapped() -> Sound:
    """A second of silence, a tone, three seconds of noise at -60 dB, a tone, and silence."""
    sound = tone(1.0, RATE)
    noise = np.random.default_rng(2).uniform(-1e-3, 1e-3, (3 * RATE, 2)).astype(np.float32)
    return np.concatenate([np.zeros((RATE, 2), np.float32), sound, noise, sound, np.zeros((2 * RATE, 2), np.float32)])


def test_silence_goes_where_it_is_asked_to_and_nowhere_else(tmp_path: Path) -> None:
    samples = gapped()
    plain: dict[str, Any] = {"preset": "none", "intensity": 0.0}
    kept, *_ = mastered(tmp_path, samples, **plain)
    assert np.array_equal(kept, samples)

    trimmed, _, facts, _ = mastered(tmp_path, samples, silence="trim", **plain)
    assert facts["silence"]["cuts"] == [{"start": 0.0, "end": 0.75}, {"start": 6.25, "end": 8.0}]
    assert np.array_equal(trimmed[1000:-1000], samples[round(0.75 * RATE) : round(6.25 * RATE)][1000:-1000])

    cut, made, facts, _ = mastered(tmp_path, samples, silence="cut", **plain)
    assert [each["start"] for each in facts["silence"]["cuts"]] == [0.0, pytest.approx(2.25, abs=0.03), 6.25]
    assert len(cut) / RATE == pytest.approx(3.0, abs=0.1)
    assert made.facts["duration_seconds"] == len(cut) / RATE
    assert np.abs(np.diff(cut, axis=0)).max() < 1.05 * np.abs(np.diff(samples, axis=0)).max()  # no click at a cut
    inside = slice(round(1.1 * RATE), round(1.9 * RATE))
    assert np.array_equal(cut[round(0.35 * RATE) : round(1.15 * RATE)], samples[inside])


def test_a_song_that_is_silence_stays(tmp_path: Path) -> None:
    silence = np.zeros((RATE, 2), np.float32)
    made, _, facts, _ = mastered(tmp_path, silence, silence="cut", preset="none")
    assert np.array_equal(made, silence)
    assert facts["silence"]["cuts"] == []


def test_what_is_no_silence_is_told(tmp_path: Path) -> None:
    for wrong in ({"silence": "all"}, {"silence": "cut", "silence_db": -5.0}):
        with pytest.raises(UsageError, match="silence"):
            mastered(tmp_path, gapped(), **wrong)
