"""The jobs and the live workers of each pool."""

from __future__ import annotations

from dataclasses import dataclass

from stemsvc.jobs.pools import FETCH, Pool
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.drains import Drain
from stemsvc.jobstore.workers import Seen


@dataclass(frozen=True)
class PoolStatus:
    """A pool at one moment. `pool` is None for `fetch`, and for a pool with jobs or workers but no settings here."""

    name: str
    pool: Pool | None
    waiting: dict[int, int]  # by priority
    running: int
    workers: list[Seen]
    drain: Drain | None = None  # since when and why it takes no new work

    @property
    def queued(self) -> int:
        """How many jobs wait."""
        return sum(self.waiting.values())

    @property
    def jobs(self) -> int:
        """How many jobs need its workers: those that run, and those that wait unless it takes no new work."""
        return self.running + (0 if self.drain else self.queued)

    @property
    def slots(self) -> int:
        """How many jobs its live workers run at a time."""
        return sum(seen.worker.slots for seen in self.workers)


def pool_statuses(store: JobStore, pools: list[Pool]) -> list[PoolStatus]:
    """The configured pools, then `fetch`, then the pools that only the store knows. Raises the store's errors."""
    waiting, running, living = store.waiting(), store.running_by_pool(), store.workers.living()
    drained = store.drains.all()
    known = {pool.name: pool for pool in pools}
    seen = {name for each in living for name in each.worker.pools}
    busy = {name for name, by_priority in waiting.items() if sum(by_priority.values())} | set(running)
    names = dict.fromkeys([*known, FETCH, *sorted(seen | busy | set(drained))])
    return [
        PoolStatus(
            name,
            known.get(name),
            waiting.get(name, {}),
            running.get(name, 0),
            [each for each in living if name in each.worker.pools],
            drained.get(name),
        )
        for name in names
    ]
