"""The recipe of the demo model, without what it needs from Debian: songs are noise, the network is tiny."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stemsvc.demo.voices import RATE
from training import network, train
from training.pool import INT16, OWN, WIDE, Excerpts
from training.train import Plan, Training, learning_rate, log_distortion, log_error, log_rest

LENGTH = RATE // 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two songs of each collection, two seconds long."""
    rng = np.random.default_rng(1)
    for path in (*OWN.paths(tmp_path, 2), *WIDE.paths(tmp_path, 2)):
        np.save(path, (rng.uniform(-0.2, 0.2, (4, 2, 2 * RATE)) * INT16).astype(np.int16))
    return tmp_path


@pytest.fixture
def plan(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.setattr(network, "ARCHITECTURE", {**network.ARCHITECTURE, "channels": 8, "t_layers": 1, "segment": 1})
    monkeypatch.setattr(train, "SEGMENT", 1)
    songs = {"own": [np.load(OWN.paths(folder, 1)[0])[:, :, :LENGTH].astype(np.float32) / INT16]}
    monkeypatch.setattr(train, "validation_songs", lambda folder: songs)
    counts: dict[str, Any] = {"own": 2, "wide": 2, "seed": 3, "validate": 100, "save": 2}
    return Plan(folder, minutes=0.05, batch=1, peak=1e-3, remix=0.5, own_share=0.5, **counts)


def excerpts(folder: Path, seed: int, own_share: float = 0.5) -> np.ndarray:
    found = Excerpts(OWN.paths(folder, 2), WIDE.paths(folder, 2), LENGTH, seed, remix=0.5, own_share=own_share).batch(6)
    return np.asarray(found)


def test_excerpts_follow_from_their_seed_and_stay_in_range(folder: Path) -> None:
    first, again, other = excerpts(folder, 1), excerpts(folder, 1), excerpts(folder, 2)

    assert first.shape == (6, 4, 2, LENGTH)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.abs(first.sum(axis=1)).max() <= 1.001


def test_stems_are_far_apart_and_sometimes_silent(folder: Path) -> None:
    levels = np.sqrt((excerpts(folder, 4, own_share=0.0) ** 2).mean(axis=(2, 3)))
    levels = np.concatenate([levels, *(np.sqrt((excerpts(folder, s, 0.0) ** 2).mean(axis=(2, 3))) for s in range(20))])

    assert (levels == 0).any()
    heard = levels[(levels > 0).all(axis=1)]
    assert 20 * np.log10(heard.max(axis=1) / heard.min(axis=1)).max() > 12


@pytest.mark.long
def test_a_run_goes_on_where_the_last_one_ended(plan: Plan, folder: Path) -> None:
    said: list[str] = []
    first = Training(plan, None)
    train.run(plan, first, said.append)

    assert first.step > 0
    assert said[-1].startswith("demo.safetensors: sha256 ")
    second = Training(replace(plan, seed=99), None)
    second.resume()
    assert second.step == first.step
    for kept, was in ((second.network, first.network), (second.average, first.average)):
        for name, value in kept.state_dict().items():
            torch.testing.assert_close(value, was.state_dict()[name])
    said_by_both = [torch.randn(1, 4, 2, RATE, generator=torch.Generator().manual_seed(1))] * 2
    losses = [each.advance(stems, 1e-3) for each, stems in zip((first, second), said_by_both, strict=True)]
    assert losses[0] == pytest.approx(losses[1], abs=0.05)
    for name, value in second.network.state_dict().items():  # the optimizer remembers: both take the same step
        torch.testing.assert_close(value, first.network.state_dict()[name], atol=2e-4, rtol=1e-3)
    network.make_network(folder / "demo.safetensors")  # what it wrote is weights


def test_a_stem_that_is_turned_down_does_not_pass_for_a_better_one() -> None:
    true = torch.from_numpy(np.random.default_rng(5).normal(0, 0.1, (1, 4, 2, LENGTH)).astype(np.float32))
    mixture = true.sum(dim=1, keepdim=True).expand(-1, 4, -1, -1)

    # the mixture is a poor estimate: less of it has less error, and is no better
    assert log_error(mixture / 10, true) < log_error(mixture, true)
    assert abs(log_distortion(mixture / 10, true) - log_distortion(mixture, true)) < 0.2
    assert log_distortion((mixture / 10 + true) / 2, true) < log_distortion(mixture, true) - 3


def test_a_sound_that_no_stem_gets_counts() -> None:
    true = torch.from_numpy(np.random.default_rng(7).normal(0, 0.1, (1, 4, 2, LENGTH)).astype(np.float32))
    lost, misplaced = true.clone(), true.clone()
    lost[:, 3] = 0
    misplaced[:, 2] += misplaced[:, 3]
    misplaced[:, 3] = 0

    assert log_rest(true, true).item() == pytest.approx(log_rest(misplaced, true).item(), abs=1e-3)
    assert log_rest(lost, true) > log_rest(misplaced, true) + 20


def test_silent_stems_have_no_distortion() -> None:
    true = torch.from_numpy(np.random.default_rng(6).normal(0, 0.1, (1, 4, 2, LENGTH)).astype(np.float32))
    true[:, 1:] = 0
    estimates = true.clone().requires_grad_()

    loss = log_distortion(estimates + 0.01, true)
    torch.autograd.backward(loss)

    assert loss < -10
    assert estimates.grad is not None
    assert torch.isfinite(estimates.grad).all()
    assert not estimates.grad[:, 1:].any()


def test_the_rate_rises_stays_and_falls() -> None:
    moments = ((0, 0.0), (50, 0.1), (300, 0.3), (900, 0.9), (999, 1.0))
    rates = [learning_rate(1.0, step, spent) for step, spent in moments]

    assert rates[0] < rates[1] < rates[2] == 1.0
    assert rates[2] > rates[3] > rates[4] > 0
