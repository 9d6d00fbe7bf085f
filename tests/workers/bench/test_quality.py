"""The measures of quality, and the table of a folder of songs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from stemsvc.demo.render import render_song
from workers.bench.command import bench
from workers.bench.quality_scores import bleedless_and_fullness, museval_sdr, si_sdr, whole_sdr, windows

RATE = 2000


def noise(seed: int, scale: float = 1.0) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return (scale * np.random.default_rng(seed).normal(size=(4 * RATE + 700, 2))).astype(np.float32)


def test_sdr_is_museval_s_median_over_the_seconds_that_count() -> None:
    # given two stems of which one is silent for a second
    truths = {"a": noise(0), "b": noise(1, 2.0)}
    truths["a"][RATE : 2 * RATE] = 0
    made = {stem: truth + noise(7 + index, 0.3) for index, (stem, truth) in enumerate(truths.items())}

    found = museval_sdr({stem: windows(truths[stem], made[stem], RATE) for stem in truths})
    for stem in truths:  # museval 0.4.1 leaves that second out for both stems, and the 700 samples at the end
        seconds = [slice(at * RATE, (at + 1) * RATE) for at in (0, 2, 3)]
        ratios = [
            10 * np.log10(np.sum(truths[stem][at] ** 2.0) / np.sum((truths[stem][at] - made[stem][at]) ** 2.0))
            for at in seconds
        ]
        assert found[stem] == pytest.approx(np.median(ratios), abs=1e-4)


def test_scale_does_not_count_where_the_name_says_so() -> None:
    truth = noise(0)
    estimate = truth + noise(1, 0.1)

    assert si_sdr(truth, 3 * estimate) == pytest.approx(si_sdr(truth, estimate), abs=1e-3)
    assert si_sdr(truth, estimate) == pytest.approx(20, abs=0.2)
    assert whole_sdr(windows(truth, truth * np.float32(0.5), RATE)) == pytest.approx(6.02, abs=0.01)


def test_bleed_and_loss_are_told_apart() -> None:
    truth = noise(0)

    assert bleedless_and_fullness(truth, truth, 44100) == (100.0, 100.0)
    bleeding, full = bleedless_and_fullness(truth, truth * np.float32(2), 44100)
    assert [bleeding, full] == pytest.approx([100 / (1 + 6.0206), 100.0], rel=1e-3)
    clean, thin = bleedless_and_fullness(truth, truth * np.float32(0.5), 44100)
    assert [clean, thin] == pytest.approx([100.0, 100 / (1 + 6.0206)], rel=1e-3)


def test_a_folder_without_songs_is_said_to_be_none(tmp_path: Path) -> None:
    result = CliRunner().invoke(bench, ["quality", str(tmp_path)])

    assert result.exit_code == 1
    assert "MUSDB18-HQ" in str(result.exception)


# The demo model on two rendered songs: SDR in dB. A change that costs a tenth of a dB must be seen.
WANTED = {"drums": 11.87, "bass": 4.61, "other": 4.75, "vocals": 4.88}


@pytest.mark.long
def test_no_change_costs_a_tenth_of_a_decibel_unseen(tmp_path: Path) -> None:
    for seed in (9610, 9611):
        stems = {stem: sound.T for stem, sound in render_song(seed, 12.0).items()}
        (tmp_path / str(seed)).mkdir()
        for name, sound in {**stems, "mixture": np.sum(list(stems.values()), axis=0)}.items():
            soundfile.write(tmp_path / str(seed) / f"{name}.wav", sound, 44100, subtype="FLOAT")

    result = CliRunner().invoke(bench, ["quality", str(tmp_path), "--model", "demo"])
    assert result.exit_code == 0, result.output
    rows = [line.split(" | ") for line in result.stdout.splitlines() if line.startswith("| `demo`")]
    assert {row[1]: float(row[3]) for row in rows} == pytest.approx(WANTED, abs=0.1)
