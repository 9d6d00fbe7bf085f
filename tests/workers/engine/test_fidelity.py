"""Every architecture that demucs loads, against upstream on the same weights: 100 dB and 2e-5 per stem."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import soxr

from stemsvc.kinds.separate.options import SeparationOptions
from tests.workers.engine.reference import (
    FOUR,
    RATE,
    SIX,
    assert_faithful,
    bag,
    demucs,
    hdemucs,
    htdemucs,
    music,
    snr,
    upstream,
)
from workers.engine.networks import TorchNetwork
from workers.engine.openvino import OpenVinoNetwork
from workers.engine.separate import Separator


def seeded(seed: int) -> Any:
    return htdemucs(seed=seed)


BAGS: dict[str, Any] = {
    "htdemucs": lambda: bag(htdemucs()),
    "htdemucs without bottom channels": lambda: bag(htdemucs(bottom_channels=0, dconv_mode=1)),
    "htdemucs cross first, group norms": lambda: bag(htdemucs(t_cross_first=True, t_group_norm=1, t_norm_in=False)),
    "htdemucs without a transformer": lambda: bag(htdemucs(t_layers=0, bottom_channels=0)),
    "htdemucs with learnt positions": lambda: bag(htdemucs(t_emb="scaled")),
    "htdemucs of six stems": lambda: bag(htdemucs(SIX)),
    "htdemucs bag": lambda: bag(
        *(htdemucs(seed=n) for n in range(3)), weights=[[1, 0, 2, 0], [0, 1, 1, 0], [0, 0, 0, 1]]
    ),
    "hdemucs": lambda: bag(hdemucs()),
    "hdemucs of the old padding": lambda: bag(hdemucs(hybrid_old=True)),
    "hdemucs with bands": lambda: bag(hdemucs(multi_freqs=[0.25, 0.75])),
    "hdemucs with a mask": lambda: bag(hdemucs(cac=False, wiener_iters=-1, end_iters=-1)),
    "hdemucs of the spectrum alone": lambda: bag(hdemucs(hybrid=False)),
    "demucs": lambda: bag(demucs()),
    "demucs without resampling": lambda: bag(demucs(resample=False, lstm_layers=1, depth=4)),
    "bag of two families": lambda: bag(hdemucs(), demucs(seed=1), weights=[[1, 1, 0.5, 0], [1, 0, 0.5, 1]]),
}


LONG = (
    "htdemucs of six stems",
    "htdemucs cross first, group norms",
    "htdemucs with learnt positions",
    "hdemucs of the old padding",
    "hdemucs of the spectrum alone",
    "htdemucs bag",
    "bag of two families",
    "htdemucs without a transformer",
    "hdemucs with bands",
    "htdemucs without bottom channels",
    "demucs without resampling",
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name in LONG else []) for name in BAGS]
)
def test_every_architecture_agrees_with_upstream(name: str) -> None:
    model = BAGS[name]()
    mixture = music(4.7)

    assert_faithful(Separator(model).separate_array(mixture), upstream(model, mixture))


@pytest.mark.parametrize("name", ["htdemucs", pytest.param("hdemucs of the old padding", marks=pytest.mark.long)])
def test_torch_without_openvino_agrees_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.engine.kept.available", lambda: False)
    model = BAGS[name]()
    mixture = music(4.7)
    separator = Separator(model)

    assert_faithful(separator.separate_array(mixture), upstream(model, mixture))
    assert isinstance(separator.network(0), TorchNetwork)


@pytest.mark.parametrize(
    "name", ["htdemucs", *(pytest.param(name, marks=pytest.mark.long) for name in ("htdemucs of six stems", "hdemucs"))]
)
def test_the_published_families_run_in_openvino(name: str) -> None:
    assert isinstance(Separator(BAGS[name]()).network(0), OpenVinoNetwork)


STRIDE = int(0.75 * 2 * RATE)
LONG_ONES = (2, 999, 2 * RATE - 1, 2 * RATE, 2 * RATE + 1, 3 * STRIDE - 1, 3 * STRIDE + 1)
LENGTHS = [2, 999, 1 * RATE, 2 * RATE - 1, 2 * RATE, 2 * RATE + 1, 3 * STRIDE - 1, 3 * STRIDE, 3 * STRIDE + 1, 6 * RATE]


@pytest.fixture(scope="module", params=["htdemucs", "hdemucs", "demucs"])
def separator(request: pytest.FixtureRequest) -> Separator:
    return Separator(BAGS[request.param]())


@pytest.mark.parametrize(
    "frames", [pytest.param(frames, marks=[pytest.mark.long] if frames in LONG_ONES else []) for frames in LENGTHS]
)
def test_every_length_agrees_with_upstream(separator: Separator, frames: int) -> None:
    mixture = music(6.0)[:frames]

    assert_faithful(separator.separate_array(mixture), upstream(separator._bag, mixture))


@pytest.mark.parametrize(
    "mixture",
    [np.zeros((3 * RATE, 2)), np.full((3 * RATE, 2), 0.25), music(3.0, quiet=1e-4), music(3.0, quiet=50.0)],
    ids=["silence", "DC", "80 dB down", "far above full scale"],
)
@pytest.mark.long
def test_odd_signals_agree_with_upstream(separator: Separator, mixture: Any) -> None:
    mixture = mixture.astype(np.float32)
    got, wanted = separator.separate_array(mixture), upstream(separator._bag, mixture)

    largest = float(np.abs(mixture).max())
    for stem in FOUR:
        assert np.abs(got[stem] - wanted[stem]).max() <= 2e-5 * max(largest, 1.0)
        assert largest == 0 or snr(got[stem], wanted[stem]) >= 100


def test_mono_of_8_khz_agrees_with_upstream(separator: Separator) -> None:
    sound = soxr.resample(music(3.0)[:, 0], RATE, 8000)
    mixture = np.repeat(soxr.resample(sound, 8000, RATE, quality="VHQ")[:, None], 2, axis=1).astype(np.float32)

    assert_faithful(separator.separate_array(mixture), upstream(separator._bag, mixture))


@pytest.mark.parametrize(
    "overlap", [0.0, 0.5, *(pytest.param(overlap, marks=pytest.mark.long) for overlap in (0.1, 0.75, 0.9))]
)
@pytest.mark.long
def test_every_overlap_agrees_with_upstream(separator: Separator, overlap: float) -> None:
    mixture = music(3.3)

    got = separator.separate_array(mixture, options=SeparationOptions(overlap=overlap))
    assert_faithful(got, upstream(separator._bag, mixture, overlap=overlap))


def test_a_shorter_segment_agrees_with_upstream(separator: Separator) -> None:
    mixture = music(4.0)

    got = separator.separate_array(mixture, options=SeparationOptions(segment=1.5))
    assert_faithful(got, upstream(separator._bag, mixture, segment=1.5))


@pytest.mark.parametrize("name", [pytest.param("htdemucs bag", marks=pytest.mark.long), "htdemucs", "demucs"])
@pytest.mark.long
def test_seeded_shifts_agree_with_upstream(name: str) -> None:
    import random

    model = BAGS[name]()
    mixture = music(2.3)
    random.seed(7)
    wanted = upstream(model, mixture, shifts=2)

    assert_faithful(Separator(model).separate_array(mixture, options=SeparationOptions(shifts=2, seed=7)), wanted)
