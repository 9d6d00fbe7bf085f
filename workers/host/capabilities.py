"""What a worker's machine and installation have: memory, cores, load, versions, extras, and what a kind lacks."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from stemsvc.host.processor import fast_gains, instruction_set
from stemsvc.kinds.registry import installed
from stemsvc.observe.harmless import harmless

LIBRARIES = ("torch", "demucs", "openvino", "av", "numpy", "scipy", "soxr", "celery")
EXTRAS = ("api", "worker", "embedded", "flower", "mcp", "musicgen")  # of this package


def lasting(device: str) -> dict[str, Any]:
    """What stays as it is while the process lives."""
    return {
        "memory_mb": _memory_mb(device),
        "cores": _cores(),
        "instructions": instruction_set(),
        "precisions": precisions(device),
        "versions": _versions(),
        "extras": extras(),
        "lacking": {name: found for name, kind in installed().items() if (found := kind.lacking())},
    }


def precisions(device: str) -> list[str]:
    """The precisions that the device tells apart. Any other that a job asks for runs in the first one."""
    mixed = ["mixed"] if device.startswith("cuda") else []
    return ["fp32", *mixed, *(["fast"] if fast_gains(device) else [])]


@harmless()
def load() -> float | None:
    """How busy the machine was in the last minute: 1 is a process that runs on every core. None: it does not say."""
    if not hasattr(os, "getloadavg"):
        return None
    return round(os.getloadavg()[0] / max(1, _cores()), 3)


def extras() -> list[str]:
    """The extras of this package whose requirements are all installed."""
    try:
        found = [Requirement(each) for each in requires("stemsvc") or ()]
    except PackageNotFoundError:  # the sources alone
        return []
    return [name for name in EXTRAS if _complete(found, name)]


def _complete(requirements: list[Requirement], extra: str) -> bool:
    """Whether the extra has requirements here, and all of them are installed."""
    own = [
        each
        for each in requirements
        if each.marker and each.marker.evaluate({"extra": extra}) and not each.marker.evaluate({"extra": ""})
    ]
    return bool(own) and all(_version(each.name) is not None for each in own)


def _versions() -> dict[str, str]:
    found = {name: _version(name) for name in ("stemsvc", *LIBRARIES)}
    return {"python": platform.python_version(), **{name: each for name, each in found.items() if each}}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@harmless()
def _memory_mb(device: str) -> int | None:
    """All memory in MB: the card's on CUDA, else the machine's; None if it can't be known."""
    if device.startswith("cuda"):
        torch = sys.modules.get("torch")
        if torch is None or not torch.cuda.is_initialized():
            return None
        return int(torch.cuda.get_device_properties(device).total_memory >> 20)
    for line in (
        Path("/proc/meminfo").read_text(encoding="utf-8").splitlines() if Path("/proc/meminfo").exists() else ()
    ):
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) >> 10
    return None
