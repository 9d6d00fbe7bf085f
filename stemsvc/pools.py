"""Worker pools: which model a pool runs on which device, and the queue that feeds it."""

from __future__ import annotations

from dataclasses import dataclass

from stemsvc.errors import UsageError

DEVICES = ("cpu", "cuda", "mps")
ANY_MODEL = "*"


@dataclass(frozen=True)
class Pool:
    """One model on one device. Its name is also the name of its queue."""

    model: str
    device: str

    @property
    def queue(self) -> str:
        """Name of the pool and of its Celery queue."""
        return f"separate.{self.model}.{self.device}"


def parse_pools(text: str, models: list[str]) -> list[Pool]:
    """Read `model:device,...`; `*` stands for every model of the catalog. Raises `UsageError` `bad_pools`."""
    pools: list[Pool] = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        model, _, device = item.rpartition(":")
        if device not in DEVICES or (model != ANY_MODEL and model not in models):
            raise UsageError("bad_pools", f"{item!r} is not model:device with a model of the catalog and {DEVICES}")
        pools += [Pool(name, device) for name in (models if model == ANY_MODEL else [model])]
    return list(dict.fromkeys(pools))


def choose_pool(pools: list[Pool], model: str, device: str) -> tuple[Pool, str]:
    """The pool for a job and the reason; `auto` prefers an accelerator. Raises `UsageError` `no_pool`."""
    serving = [pool for pool in pools if pool.model == model and device in ("auto", pool.device)]
    if not serving:
        raise UsageError("no_pool", f"no worker pool is configured for model {model} on device {device}")
    best = min(serving, key=lambda pool: (pool.device == "cpu", DEVICES.index(pool.device)))
    why = f"device {device}: {best.queue}" + (" is the only pool" if len(serving) == 1 else " comes first")
    return best, why
