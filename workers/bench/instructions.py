"""A processor's vector instructions, and how a run is limited to fewer, so that one machine shows what others do."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping

ONEDNN = "ONEDNN_MAX_CPU_ISA"
# What torch, its oneDNN and its MKL read when they are loaded
LIMITS: Mapping[str, Mapping[str, str]] = {
    "avx2": {ONEDNN: "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "avx512": {ONEDNN: "AVX512_CORE", "MKL_ENABLE_INSTRUCTIONS": "AVX512", "ATEN_CPU_CAPABILITY": "avx512"},
}
# OpenVINO 2026.4 reads oneDNN's variable too, but mixes kernels of both widths below AVX-512, and crashes in HTDemucs.
# For its networks a machine must hide AVX-512: a virtual one, or a kernel that was booted with `clearcpuid=avx512f`.
NOT_OPENVINO = ("avx2",)


def limit(instructions: str) -> None:
    """Limit the libraries of this process to these instructions. It must be called before they are loaded."""
    os.environ.update(LIMITS[instructions])


def instruction_set() -> str:
    """The widest vector instructions of this machine's processor; its architecture where that is not known.

    Where this process is limited to fewer, it says so.
    """
    limited = os.environ.get(ONEDNN, "")
    return f"{_widest()}, limited to {limited}" if limited else _widest()


def _widest() -> str:
    known = ("amx_tile", "avx512_bf16", "avx512_vnni", "avx512f", "avx2", "asimd")
    try:
        with open("/proc/cpuinfo") as file:  # noqa: PTH123 - a bare machine's one-liner
            flags = next(line.split(":")[1].split() for line in file if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return platform.machine()
    return next((name for name in known if name in flags), platform.machine())
