"""What moves the demo model's weights."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from training.optimizer import Optimizer


class Small(torch.nn.Module):
    """One of each: a convolution, queries with keys and values, a matrix, and what is none."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.convolution = torch.nn.Conv2d(2, 6, (3, 1))
        self.attention = torch.nn.MultiheadAttention(6, 2, batch_first=True)
        self.linear = torch.nn.Linear(6, 3)
        self.unused = torch.nn.Linear(6, 3)

    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        """[batch, 2, steps] -> [batch, steps - 2, 3]."""
        found = self.convolution(sound[..., None])[..., 0].transpose(1, 2)
        made: torch.Tensor = self.linear(self.attention(found, found, found, need_weights=False)[0])
        return made


def learn(network: Small, optimizer: Optimizer, steps: int, rate: float = 1e-2) -> list[float]:
    """The losses of some steps on one batch."""
    sound = torch.randn(4, 2, 12, generator=torch.Generator().manual_seed(5))
    losses = []
    for _ in range(steps):
        network.zero_grad()
        loss = (network(sound) - sound[:, :1].mean(dim=2, keepdim=True)).square().mean()
        torch.autograd.backward(loss)
        optimizer.step(rate)
        losses.append(loss.item())
    return losses


def weights_of(network: Small) -> dict[str, Any]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_all_that_has_a_gradient_moves_and_the_loss_falls() -> None:
    network = Small()
    before = weights_of(network)

    losses = learn(network, Optimizer(network, 1e-2), 60)

    assert losses[-1] < losses[0] / 2
    moved = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {name for name in before if not name.startswith("unused")}


@pytest.mark.parametrize("rate", [1e-2, 1e-3])
def test_matrices_move_in_all_directions_alike_by_the_rate_that_is_asked_for(rate: float) -> None:
    network = Small()
    before = weights_of(network)

    learn(network, Optimizer(network, 1.0), 1, rate)

    after = network.state_dict()
    queries = (after["attention.in_proj_weight"] - before["attention.in_proj_weight"])[:6]
    kernel = (after["convolution.weight"] - before["convolution.weight"]).flatten(1)
    for step in (queries, kernel):
        scales = torch.linalg.svdvals(step)
        scales = scales[scales > 1e-3 * scales[0]]
        assert scales[0] < 3 * scales[-1]  # five steps of Newton and Schulz leave 0.7 to 1.2
        assert 0.1 * rate < float(step.square().mean().sqrt()) < 0.4 * rate


def test_a_second_optimizer_goes_on_from_the_state_of_the_first() -> None:
    first, second = Small(), Small()
    one, other = Optimizer(first, 1e-2), Optimizer(second, 1e-2)
    learn(first, one, 5)
    second.load_state_dict(first.state_dict())
    other.load_state_dict(copy.deepcopy(one.state_dict()))  # as a file would: what is not copied, both would change

    assert learn(first, one, 5) == learn(second, other, 5)
    for name, value in first.state_dict().items():
        torch.testing.assert_close(value, second.state_dict()[name])
