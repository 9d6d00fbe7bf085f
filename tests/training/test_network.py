"""The demo model's network, and how it grows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training import network


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "ARCHITECTURE", {**network.ARCHITECTURE, "channels": 8, "t_layers": 2, "segment": 1})


@pytest.mark.parametrize("layers", [2, 3, 4, 5])
def test_a_deeper_network_begins_with_what_the_shallower_one_can(
    small: None, layers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given weights in which no gain or offset is still what it was at the start
    torch.manual_seed(7)
    shallow = network.make_network(None).eval()
    with torch.no_grad():
        for name, weights in shallow.named_parameters():
            if "norm" in name:
                weights.add_(torch.randn_like(weights) * 0.3)
    network.save_weights(shallow, tmp_path / "shallow.safetensors")
    shallow = network.make_network(tmp_path / "shallow.safetensors").eval()  # as half precision has them

    # when a network of more layers starts from them
    monkeypatch.setitem(network.ARCHITECTURE, "t_layers", layers)
    deep = network.make_network(tmp_path / "shallow.safetensors").eval()

    # then it hears the same, and the new layers can learn
    mixture = torch.randn(1, 2, 44_100)
    with torch.no_grad():
        was, now = shallow(mixture), deep(mixture)
    assert (now - was).norm() < 1e-3 * was.norm()
    deep.train()
    torch.autograd.backward(deep(mixture).square().mean())
    assert all(weights.grad is not None for name, weights in deep.named_parameters() if ".layers" in name)
