"""Chooses a job's pool: by its kind, its model, the device it asks for, its size, and the live workers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stemsvc.errors import (
    NoLivePool,
    NoPool,
    NotEnoughMemory,
    TooMuchWork,
    UsageError,
)
from stemsvc.jobs.pools import Pool
from stemsvc.jobs.record import Job
from stemsvc.jobstore import JobStore
from stemsvc.kinds import registry
from stemsvc.kinds.base import Needs
from stemsvc.models.catalog import Catalog
from stemsvc.observe.loggers import get_logger

log = get_logger()
MOVED_AT_A_TIME = 100  # jobs of a pool that is gone, at each sweep


@dataclass(frozen=True)
class Choice:
    """A pool for a job, why that one, and whether it has a live worker."""

    pool: Pool
    why: str
    alive: bool


def choose_pool(
    pools: Sequence[Pool],
    kind: str,
    needs: Needs,
    device: str,
    *,
    seconds: float | None = None,
    slots: Mapping[str, int] | None = None,
    present: Mapping[str, int] | None = None,
    waiting: Callable[[], Mapping[str, int]] = dict,
) -> Choice:
    """The best pool for a job of that kind with those needs, which computes for about `seconds`.

    Pools with live workers (`slots`: jobs at a time, by pool) come before those without. Then the operator's priority
    decides, then the device: accelerators for work that they make faster, CPUs for any other. Last comes the shortest
    queue for each slot (`waiting`: jobs by pool, called only where that decides). `present` are the slots of workers of
    any ability: the reason names pools that were passed over for what they can't do. Raises `UsageError` `no_pool`,
    `not_enough_memory` where each pool is too small, `too_much_work` where none may compute for so long.
    """
    serving, unfit = _serving(pools, kind, needs, device, seconds)
    living = slots or {}

    def rank(pool: Pool) -> tuple[bool, int, bool]:
        return living.get(pool.name, 0) == 0, -pool.priority, (pool.kind == "cpu") == needs.accelerated

    first = min(map(rank, serving))
    best = [pool for pool in serving if rank(pool) == first]
    pool, alive = best[0], not first[0]
    rivals = [each for each in serving if living.get(each.name, 0)] if alive else serving
    if len(best) > 1:
        queued = waiting()
        pool = min(best, key=lambda each: queued.get(each.name, 0) / max(1, living.get(each.name, 0)))
        why = f"has the shortest queue, {queued.get(pool.name, 0)} jobs for {living.get(pool.name, 0)} slots"
    elif len(serving) == 1:
        why = "is the only pool"
    elif len(rivals) == 1:
        why = "is the only one with a live worker"
    else:
        why = f"comes first of {len(rivals)}"
    waits = "" if alive else "; it waits for a worker there"
    unable = [each.name for each in serving if (present or {}).get(each.name) and not living.get(each.name)]
    lacking = dict.fromkeys(unable, f"its workers lack the packages of {kind}")
    passed = "".join(f"; not {name}: {reason}" for name, reason in {**unfit, **lacking}.items())
    return Choice(pool, f"device {device}: {pool.name} {why}{waits}{passed}", alive)


def _serving(
    pools: Sequence[Pool], kind: str, needs: Needs, device: str, seconds: float | None
) -> tuple[list[Pool], dict[str, str]]:
    """The pools that can do it, and why each other one that serves its kind and model can't."""
    what = f"model {needs.model}" if needs.model else f"the kind {kind}"
    serving = [pool for pool in pools if pool.serves(kind, needs.model) and _is_wished(pool, device)]
    if not serving:
        raise NoPool(f"no worker pool is configured for {what} on device {device}")
    fitting = [pool for pool in serving if (pool.memory_mb or math.inf) >= (needs.memory_mb or 0)]
    if not fitting:
        most = max(pool.memory_mb or 0 for pool in serving)
        detail = f"{needs.model or kind} needs about {needs.memory_mb} MB; the pools for it have at most {most} MB"
        raise NotEnoughMemory(detail)
    quick = [pool for pool in fitting if pool.time_limit is None or (seconds or 0.0) <= pool.time_limit]
    if not quick:
        longest = max(pool.time_limit or 0.0 for pool in fitting)
        detail = f"it would compute for about {seconds:.0f} s; the pools for it allow at most {longest:.0f} s"
        raise TooMuchWork(detail)
    unfit = {pool.name: f"it has {pool.memory_mb} MB of {needs.memory_mb}" for pool in serving if pool not in fitting}
    slow = {pool.name: f"it allows {pool.time_limit:.0f} s" for pool in fitting if pool not in quick}
    return quick, {**unfit, **slow}


def _is_wished(pool: Pool, device: str) -> bool:
    return device in ("auto", pool.kind, pool.device)


class Router:
    """Chooses pools by what the store knows of workers and queues."""

    def __init__(
        self, store: JobStore, catalog: Catalog, pools: list[Pool], *, patience: float, refuse: bool = False
    ) -> None:
        """`patience`: seconds without a worker after which a pool's jobs may move to another pool; `refuse`: refuse a
        job whose pool has no live worker."""
        self._store = store
        self._catalog = catalog
        self._pools = pools
        self._patience = patience
        self._refuse = refuse

    def choose(self, kind: str, needs: Needs, device: str, seconds: float) -> Choice:
        """The pool for a new job; raises what `choose_pool` does, and `TransientError` `no_live_pool`."""
        choice = choose_pool(
            self._pools,
            kind,
            needs,
            device,
            seconds=seconds,
            slots=self._store.workers.slots(kind),
            present=self._store.workers.slots(),
            waiting=self._waiting,
        )
        if self._refuse and not choice.alive:
            raise NoLivePool(f"the pool {choice.pool.name} has no live worker that takes work", retry_after=30.0)
        return choice

    def sweep(self) -> int:
        """Move jobs from pools that have had no worker for `patience` to pools that have one; returns how many.

        Jobs of a drained pool move at once: it will not take them.
        """
        slots = self._store.workers.slots()
        waiting = self._store.waiting()
        empty = [pool for pool, queued in waiting.items() if sum(queued.values()) and not slots.get(pool)]
        if not empty:
            return 0
        drained = self._store.drains.all()
        now, last = self._store.workers.silence()
        moved = 0
        for pool in empty:
            for job in self._first(pool):
                if pool in drained:
                    moved += self._move(job, "is drained")
                elif now - max(last.get(pool, 0.0), job.created_at) >= self._patience:
                    moved += self._move(job, "has no worker")
        return moved

    def _first(self, pool: str) -> list[Job]:
        return self._store.first_in_line(pool, MOVED_AT_A_TIME)

    def _move(self, job: Job, fault: str) -> bool:
        if job.next_pool is not None:  # only fetchers fetch
            return False
        try:
            kind = registry.get(job.kind)
            needs = kind.needs(kind.read(job.params), self._catalog)
            slots = self._store.workers.slots(job.kind)
            choice = choose_pool(self._pools, job.kind, needs, job.envelope.device, seconds=job.cost, slots=slots)
        except UsageError:  # the configuration changed since it was accepted: it waits for the next change
            return False
        if not choice.alive or choice.pool.name == job.pool:
            return False
        moved = self._store.reroute(job.id, job.pool, choice.pool.name, f"{job.pool} {fault}; {choice.why}")
        if moved:
            log.info("job moved", job_id=job.id, pool=choice.pool.name, before=job.pool)
        return moved

    def _waiting(self) -> dict[str, int]:
        return {pool: sum(by_priority.values()) for pool, by_priority in self._store.waiting().items()}
