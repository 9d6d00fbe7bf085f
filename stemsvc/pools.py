"""Worker pools: which model a pool runs on which device, and the queue that feeds it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stemsvc.catalog import ModelEntry
from stemsvc.errors import UsageError

DEVICES = ("cpu", "cuda", "mps")
ANY_MODEL = "*"
FETCH = "fetch"  # the pool, and queue, that gets tracks from addresses, so that no device waits on a network
TELL = "webhooks"  # the queue of deliveries to clients, which the same pool serves
_MEMORY = re.compile(r"(\d+)([MG])B?", re.IGNORECASE)


@dataclass(frozen=True)
class Pool:
    """One model on one device. Its name is also the name of its queue.

    `memory_mb` is what one of its jobs may use; None where nobody said.
    """

    model: str
    device: str
    memory_mb: int | None = None

    @property
    def queue(self) -> str:
        """Name of the pool and of its Celery queue."""
        return f"separate.{self.model}.{self.device}"


def parse_pools(text: str, models: list[str]) -> list[Pool]:
    """Read `model:device,...` or `model:device:memory,...` (as 8G or 900M); `*` stands for every model of the catalog.

    Raises `UsageError` `bad_pools`.
    """
    pools: dict[tuple[str, str], Pool] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        model, device, memory, *more = [*item.split(":"), "", ""][: max(3, item.count(":") + 1)]
        size = _MEMORY.fullmatch(memory)
        known = model == ANY_MODEL or model in models
        if device not in DEVICES or not known or more or bool(memory) != bool(size):
            raise UsageError(
                "bad_pools",
                f"{item!r} is not model:device or model:device:8G with a model of the catalog and {DEVICES}",
            )
        megabytes = int(size[1]) * (1024 if size[2].upper() == "G" else 1) if size else None
        for name in models if model == ANY_MODEL else [model]:
            pools[name, device] = Pool(name, device, megabytes)
    return list(pools.values())


def choose_pool(pools: list[Pool], entry: ModelEntry, device: str) -> tuple[Pool, str]:
    """The pool for a job and the reason; `auto` prefers an accelerator.

    Raises `UsageError` `no_pool`, or `not_enough_memory` where each pool of the model is too small for it.
    """
    serving = [pool for pool in pools if pool.model == entry.name and device in ("auto", pool.device)]
    if not serving:
        raise UsageError("no_pool", f"no worker pool is configured for model {entry.name} on device {device}")
    fitting = [pool for pool in serving if pool.memory_mb is None or pool.memory_mb >= entry.memory_mb]
    if not fitting:
        most = max(pool.memory_mb or 0 for pool in serving)
        detail = f"{entry.name} needs about {entry.memory_mb} MB; the pools for it have at most {most} MB"
        raise UsageError("not_enough_memory", detail)
    best = min(fitting, key=lambda pool: (pool.device == "cpu", DEVICES.index(pool.device)))
    why = f"device {device}: {best.queue}" + (" is the only pool" if len(fitting) == 1 else " comes first")
    return best, why
