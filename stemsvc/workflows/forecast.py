"""When each job of a workflow would begin and end, if nothing else came into the queues.

List scheduling: of the jobs whose inputs are there, the one that was ready first takes the slot that is free first.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter


@dataclass(frozen=True)
class Load:
    """A job: its pool, the seconds that it works there, and the numbers of the jobs that must end before it."""

    pool: str
    seconds: float
    needs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Times:
    """When a job is ready, begins and ends, in seconds from now."""

    ready: float
    begins: float
    ends: float


def forecast(jobs: Sequence[Load], slots: Mapping[str, int], free: Mapping[str, float]) -> list[Times]:
    """The times of the jobs, in their order. `slots` and `free`: by pool, how many jobs at a time, and from when on.

    A pool without a slot counts as one with one slot: a worker has to come first, and nobody knows when. The jobs'
    needs have no circle.
    """
    lanes = {pool: [free.get(pool, 0.0)] * max(1, slots.get(pool, 0)) for pool in {job.pool for job in jobs}}
    missing = [len(set(job.needs)) for job in jobs]
    after: dict[int, list[int]] = {}
    for number, job in enumerate(jobs):
        for needed in set(job.needs):
            after.setdefault(needed, []).append(number)
    ready = [(0.0, number) for number, count in enumerate(missing) if not count]
    heapq.heapify(ready)
    found: dict[int, Times] = {}
    while ready:
        at, number = heapq.heappop(ready)
        job = jobs[number]
        begins = max(at, heapq.heappop(lanes[job.pool]))
        ends = begins + job.seconds
        heapq.heappush(lanes[job.pool], ends)
        found[number] = Times(at, begins, ends)
        for later in after.get(number, ()):
            missing[later] -= 1
            if not missing[later]:
                heapq.heappush(ready, (max(found[needed].ends for needed in jobs[later].needs), later))
    return [found[number] for number in range(len(jobs))]


def least_seconds(jobs: Sequence[Load], slots: Mapping[str, int]) -> float:
    """In how many seconds all of the jobs can have ended, at the best.

    That is the time of the longest path, or what a pool has to do, shared by its slots, whichever is more. It never
    grows as jobs come on and end. The end that `forecast` finds may: with less to do, a list schedule may end later
    (R. L. Graham, Bounds on Multiprocessing Timing Anomalies, 1969). The jobs' needs have no circle.
    """
    ends: dict[int, float] = {}
    work: dict[str, float] = {}
    for number in TopologicalSorter({number: job.needs for number, job in enumerate(jobs)}).static_order():
        job = jobs[number]
        ends[number] = max((ends[needed] for needed in job.needs), default=0.0) + job.seconds
        work[job.pool] = work.get(job.pool, 0.0) + job.seconds
    shared = (seconds / max(1, slots.get(pool, 0)) for pool, seconds in work.items())
    return max((*ends.values(), *shared), default=0.0)
