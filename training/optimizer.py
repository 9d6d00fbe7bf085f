"""The optimizer of the demo model: Muon for matrices, AdamW for what is none."""

from __future__ import annotations

from typing import Any

import torch

Weights = torch.nn.Parameter


class Optimizer:
    """Muon moves each matrix in all of its directions alike (Jordan et al., 2024), so that fewer steps teach as much.

    A convolution is the matrix of what each of its outputs takes from its inputs; queries, keys and values are three
    matrices. Biases, gains and offsets have no directions. Both parts take the same learning rate: Muon's is scaled to
    steps of AdamW's size (Liu et al., 2025, "Muon is scalable for LLM training", section 2.2).
    """

    def __init__(self, network: torch.nn.Module, rate: float) -> None:
        named = list(network.named_parameters())
        rest = [weights for _, weights in named if weights.ndim < 2]
        self._whole = [(name, weights) for name, weights in named if weights.ndim >= 2]
        self._matrices = [[Weights(part) for part in _parts(name, weights.data)] for name, weights in self._whole]
        matrices = [matrix for parts in self._matrices for matrix in parts]
        self._muon = torch.optim.Muon(matrices, lr=rate, weight_decay=1e-3, adjust_lr_fn="match_rms_adamw")
        self._adam = torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.99), weight_decay=1e-3)

    def step(self, rate: float) -> None:
        """Move the network's parameters by their gradients."""
        for (name, weights), matrices in zip(self._whole, self._matrices, strict=True):
            if weights.grad is not None:
                for matrix, part in zip(matrices, _parts(name, weights.grad.contiguous()), strict=True):
                    matrix.grad = part
        for half in (self._muon, self._adam):
            for group in half.param_groups:
                group["lr"] = rate
            half.step()  # type: ignore[no-untyped-call]

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to go on."""
        return {"muon": self._muon.state_dict(), "adam": self._adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`'s."""
        self._muon.load_state_dict(state["muon"])
        self._adam.load_state_dict(state["adam"])


def _parts(name: str, weights: torch.Tensor) -> list[torch.Tensor]:
    """Views of the weights as matrices."""
    matrix = weights.view(len(weights), -1)
    return list(matrix.chunk(3)) if name.endswith("in_proj_weight") else [matrix]
