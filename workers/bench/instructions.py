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
# What OpenVINO can't be limited to: see `workers.engine.kept.usable`. For HTDemucs and MDX-Net a machine must hide
# AVX-512: a virtual one, or a kernel that was booted with `clearcpuid=avx512f`.
NOT_OPENVINO = ("avx2",)


def limit(instructions: str) -> None:
    """Limit the libraries of this process to these instructions. It must be called before they are loaded."""
    os.environ.update(LIMITS[instructions])
