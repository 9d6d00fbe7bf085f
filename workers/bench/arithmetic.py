"""How much arithmetic a network is, and how fast this machine does any.

The fraction of a machine's own speed that a network reaches can be compared across machines; seconds can't.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from workers.bench.table import Figure, Seconds

SIZE = 2048  # of the square matrices: 50 MB together, far more than the caches have
BAR, AIM = 0.75, 0.85  # of the peak


@dataclass(frozen=True)
class Work:
    """Floating-point operations of a forward pass: each product and each sum is one."""

    convolutions: int
    products: int  # of matrices: linears and attention

    @property
    def total(self) -> int:
        """All of them. Norms, activations and Fourier transforms, a few in a hundred, do not count."""
        return self.convolutions + self.products


def work_of(network: Any, length: int, device: str = "cpu") -> Work:
    """What a pass over `length` samples of two channels takes, counted while the device computes one."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the counter does not know the layer in one piece
    try:
        # attention as the products that it is: the counter does not know all of its fused kernels
        with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
            network(torch.zeros(1, 2, length, device=device))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    counts = {str(name): int(count) for name, count in counter.get_flop_counts()["Global"].items()}
    convolutions = sum(count for name, count in counts.items() if "conv" in name)
    return Work(convolutions, counter.get_total_flops() - convolutions)


class Peak:
    """The speed of single-precision products of matrices with all threads, by the fastest library that is here."""

    def __init__(self) -> None:
        self.threads = torch.get_num_threads()
        self._left, self._right = torch.randn(SIZE, SIZE), torch.randn(SIZE, SIZE)
        self._libraries: dict[str, Callable[[], object]] = {"torch": lambda: self._left @ self._right}
        if (product := _by_openvino(self._left, self._right, self.threads)) is not None:
            self._libraries["OpenVINO"] = product
        self._best = dict.fromkeys(self._libraries, float("inf"))

    def sample(self) -> None:
        """Measure once more. Called in turn with what is compared, so that noise meets both."""
        for name, product in self._libraries.items():
            for _ in range(3):
                start = time.perf_counter()
                product()
                self._best[name] = min(self._best[name], time.perf_counter() - start)

    @property
    def rate(self) -> float:
        """Operations in a second, of the best sample of all."""
        return float(2 * SIZE**3 / min(self._best.values()))

    @property
    def detail(self) -> str:
        """How it was measured, and what each library reaches."""
        each = ", ".join(f"{name} {2 * SIZE**3 / best / 1e9:.0f}" for name, best in self._best.items())
        return f"{self.threads} threads, best of all samples: {each}"


def _by_openvino(left: torch.Tensor, right: torch.Tensor, threads: int) -> Callable[[], object] | None:
    """The same product in OpenVINO; None where it is not installed, or would not keep to the limit of instructions."""
    from workers.engine.kept import product, usable

    if not usable():
        return None
    request = product(right.numpy(), threads)
    return lambda: request(left.numpy())


def fractions(name: str, work: Work, passes: int, took: Seconds, peak: Peak) -> Sequence[Figure]:
    """The peak, the network's operations, and the fraction of the peak that `passes` of them in `took` reached."""
    kinds = f"{work.convolutions / 1e9:.3g} convolutions, {work.products / 1e9:.3g} products of matrices"
    rate = work.total * passes / took.best
    how = f"{rate / 1e9:.3g} of {peak.rate / 1e9:.3g} GFLOP/s; {passes} passes in {took.best:.2f} s, the best run"
    return (
        Figure(f"sgemm peak beside {name}", peak.detail, peak.rate / 1e9, " GFLOP/s"),
        Figure(f"{name}: arithmetic of a pass", kinds, work.total / 1e9, " GFLOP"),
        Figure(f"{name}: fraction of the sgemm peak", how, rate / peak.rate, bar=BAR, aim=AIM, floor=True),
    )
