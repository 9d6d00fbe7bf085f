"""A processor's vector instructions, and what they make worth asking for. It needs only the standard library."""

from __future__ import annotations

import functools
import os
import platform

ONEDNN = "ONEDNN_MAX_CPU_ISA"  # what limits oneDNN, and OpenVINO with it, to fewer instructions
WIDEST_FIRST = ("amx_tile", "avx512_bf16", "avx512_vnni", "avx512f", "avx2", "asimd")
INTEL = "GenuineIntel"
NO_LIMIT = ("", "ALL", "DEFAULT")
LIMITS_BELOW_AVX512 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2")
LIMITS_WITH_BF16 = ("AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX10_1_512")


@functools.cache
def flags() -> frozenset[str]:
    """The processor's own names of what it has; none where the system does not list them."""
    return frozenset(_told("flags", "Features").split())


@functools.cache
def vendor() -> str:
    """Who made the processor, as it says itself; empty where the system does not say it."""
    return _told("vendor_id").strip()


def _told(*names: str) -> str:
    """What the system tells of the first processor under one of these names."""
    try:
        with open("/proc/cpuinfo") as file:  # noqa: PTH123 - a bare machine's one-liner
            return next(line.split(":")[1] for line in file if line.startswith(names))
    except (OSError, StopIteration):
        return ""


def instruction_set() -> str:
    """The widest vector instructions of this machine's processor; its architecture where that is not known.

    Where this process is limited to fewer, it says so.
    """
    widest = next((name for name in WIDEST_FIRST if name in flags()), platform.machine())
    limited = os.environ.get(ONEDNN, "")
    return f"{widest}, limited to {limited}" if limited else widest


def below_avx512() -> bool:
    """Whether this process is limited to narrower vector instructions than AVX-512."""
    return os.environ.get(ONEDNN, "").upper() in LIMITS_BELOW_AVX512


def has_bf16() -> bool:
    """Whether products in bf16 are faster here than in fp32: the processor has them, and this process may use them.

    Elsewhere they are fp32 products of rounded numbers: as slow, and less exact. On a Xeon whose AMX a virtual
    machine hides, AVX512_BF16 was slower than fp32 (docs/performance.md), so of Intel's only AMX counts.
    """
    limit = os.environ.get(ONEDNN, "").upper()
    if "amx_bf16" in flags() and (limit in NO_LIMIT or "AMX" in limit):
        return True
    allowed = limit in NO_LIMIT or "AMX" in limit or limit in LIMITS_WITH_BF16
    return allowed and "avx512_bf16" in flags() and vendor() != INTEL


def fast_gains(device: str) -> bool:
    """Whether the precision `fast` is another than the full one on that device of this machine."""
    return device.startswith("cuda") or (device == "cpu" and has_bf16())
