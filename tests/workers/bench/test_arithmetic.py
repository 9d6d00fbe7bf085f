"""The bench counts a network's arithmetic, and sets it against the machine's own speed."""

from __future__ import annotations

import os

import pytest
import torch
from torch import nn

from stemsvc.host.processor import ONEDNN, instruction_set
from workers.bench.arithmetic import Peak, Work, fractions, work_of
from workers.bench.instructions import LIMITS, limit
from workers.bench.roformers import CHUNKS, PUBLISHED, SMALL, roformer
from workers.bench.table import Seconds, in_turn
from workers.engine.families.bands import USUAL_BANDS

HEADS, FEATURES = 8, 64  # of the RoFormers' attention


class Convolved(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(2, 3, 5, padding=2)
        self.linear = nn.Linear(3, 7)

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        return self.linear(self.convolution(wave).transpose(1, 2))  # type: ignore[no-any-return]


def test_each_product_and_each_sum_counts_as_one() -> None:
    assert work_of(Convolved(), 100) == Work(convolutions=2 * 100 * 2 * 3 * 5, products=2 * 100 * 3 * 7)


def test_a_roformer_s_arithmetic_is_that_of_its_formula() -> None:
    size, depth, chunk = SMALL["BS-RoFormer"]["dim"], SMALL["BS-RoFormer"]["depth"], CHUNKS["small"]
    frames, bands, inner = chunk // 441 + 1, len(USUAL_BANDS), HEADS * FEATURES

    def layer(sequences: int, length: int) -> int:
        linears = size * inner * 3 + size * HEADS + inner * size + 2 * size * 4 * size
        return 2 * sequences * length * (linears + 2 * inner * length)

    numbers = [4 * bins for bins in USUAL_BANDS]  # two channels of real and imaginary parts
    split = 2 * frames * sum(numbers) * size
    masks = 2 * frames * sum(size * 4 * size + 4 * size * 2 * each for each in numbers)
    wanted = depth * (layer(bands, frames) + layer(frames, bands)) + split + masks
    assert work_of(roformer("BS-RoFormer", "small"), chunk) == Work(0, wanted)


def test_the_fraction_is_that_of_the_best_runs() -> None:
    peak = Peak()
    peak.sample()
    rate = peak.rate
    work = Work(convolutions=round(rate), products=round(rate))

    best, arithmetic, fraction = fractions("net", work, 3, Seconds.of([12.0, 8.0, 30.0]), peak)

    assert best.value == pytest.approx(rate / 1e9)
    assert arithmetic.value == pytest.approx(2 * rate / 1e9)
    assert fraction.value == pytest.approx(0.75, rel=1e-6)  # twice three seconds' work in eight seconds
    assert str(torch.get_num_threads()) in best.detail


def test_more_samples_never_lower_the_peak() -> None:
    peak = Peak()
    peak.sample()
    before = peak.rate
    peak.sample()
    assert peak.rate >= before


def test_runs_have_a_median_and_a_best() -> None:
    took = in_turn(3, lambda _: None, run=lambda: None)["run"]
    assert isinstance(took, Seconds)
    assert 0 <= took.best <= took
    assert (Seconds.of([3.0, 1.0, 2.0]), Seconds.of([3.0, 1.0, 2.0]).best) == (2.0, 1.0)


@pytest.mark.parametrize("instructions", LIMITS)
def test_a_limited_run_says_so(instructions: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LIMITS[instructions]:
        monkeypatch.setenv(name, "")
    assert "limited" not in instruction_set()
    limit(instructions)
    assert instructions in instruction_set().lower()
    assert os.environ["ATEN_CPU_CAPABILITY"] == instructions


def test_the_published_sizes_are_buildable() -> None:
    with torch.device("meta"):
        for name in PUBLISHED:
            assert sum(each.numel() for each in roformer(name, "full").parameters()) > 20e6


def test_a_library_that_ignores_the_limit_is_no_measure_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a run that is limited to AVX2 on a processor with more
    assert "OpenVINO" in Peak().detail
    monkeypatch.setenv(ONEDNN, LIMITS["avx2"][ONEDNN])

    # then only a library that keeps to it tells the peak
    assert "OpenVINO" not in Peak().detail
