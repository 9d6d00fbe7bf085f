"""The devices of this machine that torch can use."""

from __future__ import annotations


def find_devices() -> list[str]:
    """Names as pools give them, the best first: each CUDA device, MPS, and the CPU, which is always there."""
    import torch

    found: list[str] = []
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        found += ["cuda"] if count == 1 else [f"cuda:{number}" for number in range(count)]
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]
