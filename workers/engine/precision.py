"""The arithmetic that a device computes in, and what it costs in fidelity."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator

import torch

from stemsvc.host.processor import fast_gains


class Precision(enum.StrEnum):
    """The arithmetic of the forward pass. Everything around it is always fp32."""

    FP32 = "fp32"  # 100 dB against upstream in fp32 with TF32 off
    MIXED = "mixed"  # CUDA: fp16 linears and attention, all else fp32; at least 60 dB
    FAST = "fast"  # CUDA: mixed, and TF32 convolutions; CPU: bf16, where the processor has it; 30 to 45 dB


def resolve(wanted: str, device: str) -> Precision:
    """The precision that `wanted` means on `device`; `auto` is mixed on CUDA and fp32 elsewhere.

    A CPU has nothing between fp32 and bf16, and MPS runs upstream's own forward. On both, mixed means fp32, which is
    more exact than the client asked for. On a CPU `fast` is bf16, so that it means fp32 where the processor has none.
    """
    if wanted == "auto":
        return Precision.MIXED if device.startswith("cuda") else Precision.FP32
    precision = Precision(wanted)
    if device.startswith("cuda") or (precision is Precision.FAST and fast_gains(device)):
        return precision
    return Precision.FP32


@contextlib.contextmanager
def arithmetic(precision: Precision) -> Iterator[None]:
    """Set torch's process-wide TF32 switches for the forward pass and put them back."""
    products, convolutions = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = precision is Precision.FAST
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = products, convolutions
