"""Separation against upstream on the same weights: 100 dB per stem (design.md, fidelity)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from demucs.apply import BagOfModels, apply_model
from demucs.htdemucs import HTDemucs
from numpy.typing import NDArray

from stemsvc.catalog import load_catalog
from stemsvc.demo.render import STEMS, render_song
from stemsvc.errors import FatalError
from workers.engine.separate import count_segments, separate
from workers.engine.weights import load_model

Sound = NDArray[np.float32]


def upstream(model: BagOfModels, mixture: Sound) -> dict[str, Sound]:
    """What `demucs.api.Separator` does around `apply_model`, with shifts=0."""
    wav = torch.from_numpy(mixture.T.copy())
    mono = wav.mean(0)
    mean, std = mono.mean(), mono.std() + 1e-8
    with torch.no_grad():
        out = apply_model(model, ((wav - mean) / std)[None], shifts=0, split=True, overlap=0.25)[0] * std + mean
    return {stem: out[i].numpy().T for i, stem in enumerate(model.sources)}


def snr(got: Sound, wanted: Sound) -> float:
    error = float(np.sum((got.astype(np.float64) - wanted) ** 2))
    return float(10 * np.log10(max(float(np.sum(wanted.astype(np.float64) ** 2)), 1e-30) / max(error, 1e-30)))


@pytest.fixture(scope="module")
def model() -> BagOfModels:
    return load_model(load_catalog().get("demo"))


STRIDE = int(0.75 * 3 * 44100)


@pytest.mark.parametrize("frames", [2, 20_000, 3 * 44100, 2 * STRIDE, 2 * STRIDE + 1, 2 * STRIDE - 1, 6 * 44100])
def test_every_stem_agrees_with_upstream(model: BagOfModels, frames: int) -> None:
    mixture = np.sum(list(render_song(9500, 6.0).values()), axis=0).T[:frames]
    ours = separate(model, mixture, STEMS, "cpu", lambda done, total: None)
    theirs = upstream(model, mixture)

    for stem in STEMS:
        assert ours[stem].shape == mixture.shape
        assert frames == 2 or snr(ours[stem], theirs[stem]) >= 100
        assert np.abs(ours[stem] - theirs[stem]).max() <= 2e-5


def test_a_single_sample_comes_back_finite(model: BagOfModels) -> None:
    ours = separate(model, np.full((1, 2), 0.5, np.float32), STEMS, "cpu", lambda done, total: None)

    assert all(np.isfinite(stem).all() for stem in ours.values())


def test_silence_stays_silent(model: BagOfModels) -> None:
    ours = separate(model, np.zeros((4 * 44100, 2), np.float32), STEMS, "cpu", lambda done, total: None)

    assert max(np.abs(stem).max() for stem in ours.values()) < 1e-4


def test_only_the_stems_asked_for_come_back(model: BagOfModels) -> None:
    mixture = np.sum(list(render_song(9500, 2.0).values()), axis=0).T

    assert list(separate(model, mixture, ("vocals", "bass"), "cpu", lambda done, total: None)) == ["vocals", "bass"]


def test_progress_counts_finished_segments(model: BagOfModels) -> None:
    mixture = np.zeros((7 * 44100, 2), np.float32)
    seen: list[tuple[int, int]] = []
    separate(model, mixture, STEMS, "cpu", lambda done, total: seen.append((done, total)))

    # 7 s in strides of 2.25 s are four segments
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_progress_of_a_bag_counts_every_network() -> None:
    networks = [HTDemucs(list(STEMS), channels=8, nfft=2048, t_layers=1, t_heads=2, segment=2) for _ in range(2)]
    bag = BagOfModels(networks)
    bag.eval()
    seen: list[tuple[int, int]] = []
    mixture = np.random.default_rng(1).normal(0, 0.1, (3 * 44100, 2)).astype(np.float32)
    separate(bag, mixture, STEMS, "cpu", lambda done, total: seen.append((done, total)))

    assert seen[-1] == (4, 4)
    assert count_segments(bag, 3 * 44100) == 4


def test_what_the_callback_raises_ends_the_separation(model: BagOfModels) -> None:
    class Stop(Exception):
        pass

    seen = 0

    def stop(done: int, total: int) -> None:
        nonlocal seen
        seen += 1
        raise Stop

    with pytest.raises(Stop):
        separate(model, np.zeros((30 * 44100, 2), np.float32), STEMS, "cpu", stop)
    assert seen == 1


def test_output_that_is_no_number_never_leaves_the_engine() -> None:
    broken = load_model(load_catalog().get("demo"))
    with torch.no_grad():
        next(broken.parameters()).fill_(float("nan"))

    with pytest.raises(FatalError) as caught:
        separate(broken, np.ones((44100, 2), np.float32), STEMS, "cpu", lambda done, total: None)
    assert caught.value.code == "separation_not_finite"
