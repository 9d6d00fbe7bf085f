"""How much memory this process has, and how much more it may take."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

# of a container, by Linux's control groups of version 2 and 1: limit, usage, and what of the usage is only a cache
GROUPS = (
    ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def available(root: Path = Path("/")) -> int | None:
    """Bytes that are free for this process, on the machine and within its container's limit; None if nobody knows."""
    found = [_of_machine(root), *(_of_group(root / folder, *names) for folder, *names in GROUPS)]
    return min((size for size in found if size is not None), default=None)


def resident(root: Path = Path("/")) -> int | None:
    """Bytes of memory that this process holds; None if nobody knows."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int((root / "proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None


def _of_machine(root: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in (root / "proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return None


def _of_group(folder: Path, limit: str, usage: str, cache: str) -> int | None:
    with contextlib.suppress(OSError, ValueError):  # `max` is no number: there is no limit
        most, used = (int((folder / name).read_text()) for name in (limit, usage))
        facts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return max(0, most - used + int(facts.get(cache, 0)))
    return None
