"""Limits a run to fewer vector instructions than the processor has, so that one machine shows what others do."""

from __future__ import annotations

import os
from collections.abc import Mapping

from stemsvc.host.processor import ONEDNN

# What torch, its oneDNN and its MKL read when they are loaded
LIMITS: Mapping[str, Mapping[str, str]] = {
    "avx2": {ONEDNN: "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "avx512": {ONEDNN: "AVX512_CORE", "MKL_ENABLE_INSTRUCTIONS": "AVX512", "ATEN_CPU_CAPABILITY": "avx512"},
}
# OpenVINO 2026.4 reads oneDNN's variable too, but mixes kernels of both widths below AVX-512, and crashes in HTDemucs.
# Its products of matrices (mlas) ignore it. For its networks a machine must hide AVX-512: a virtual one, or a kernel
# that was booted with `clearcpuid=avx512f`.
NOT_OPENVINO = ("avx2",)


def limit(instructions: str) -> None:
    """Limit the libraries of this process to these instructions. It must be called before they are loaded."""
    os.environ.update(LIMITS[instructions])


def ignored_by_openvino() -> bool:
    """Whether this process has a limit that OpenVINO's products of matrices go beyond."""
    return any(os.environ.get(ONEDNN) == LIMITS[name][ONEDNN] for name in NOT_OPENVINO)
