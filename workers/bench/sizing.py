"""How many workers a day's jobs need: a day that arrives at random, and the waits that it leads to.

The search counts servers and a queue by a heap, which gives a first-come queue its waits exactly. What it finds is then
run by the real store, router and sender (`workers.bench.simulation`), which is what a service does.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from stemsvc.jobs.pools import Pool
from stemsvc.jobs.record import Priority
from stemsvc.kinds.separate.kind import KIND, SeparateParams
from stemsvc.models.catalog import Catalog
from workers.bench.simulation import Arrival, Simulation, fresh_store

DAY = 86400.0  # seconds
SPREAD = 0.5  # of the logarithm of a track's length: most are within a factor of 1.6 of the median
SHORTEST, LONGEST = 20.0, 3600.0  # seconds of a track
MOST_RUN = 2000  # jobs that the real store runs, about the busiest hour: a job costs it 5 ms
SEED = 25


@dataclass(frozen=True)
class Demand:
    """What a day asks for: jobs, the mean length of their tracks in seconds, the model, and how uneven the day is.

    `peak` is how many times more jobs come in the busiest moment than on average; 1: they come evenly.
    """

    jobs: int
    track_seconds: float
    model: str
    peak: float = 2.0


@dataclass(frozen=True)
class Waits:
    """Seconds that jobs waited: median, 95th percentile and longest."""

    p50: float
    p95: float
    longest: float

    @classmethod
    def of(cls, waits: Sequence[float]) -> Waits:
        """By nearest rank."""
        ordered = sorted(waits)
        rank = [ordered[max(0, math.ceil(share * len(ordered)) - 1)] for share in (0.5, 0.95)]
        return cls(rank[0], rank[1], ordered[-1])


@dataclass(frozen=True)
class Sizing:
    """Workers, how busy they are over the day, the seconds that one job computes on average, and the waits.

    `simulated` are the waits that the real store had, for the busiest `run` jobs; `waits` those of the whole day.
    """

    workers: int
    load: float
    job_seconds: float
    waits: Waits
    simulated: Waits
    run: int


def size(demand: Demand, catalog: Catalog, speed: float, most_wait: float) -> Sizing:
    """The fewest workers with which 95 % of the jobs wait for at most `most_wait` seconds.

    `speed` is how many times faster than two cores of an AMD EPYC a worker computes. Raises `UsageError`
    `unknown_model`.
    """
    arrivals = a_day(demand)
    seconds = [_cost(each, catalog) / speed for each in arrivals]
    needed = sum(seconds) / DAY
    low, high = max(1, math.floor(needed)), max(1, math.ceil(needed * demand.peak) + 1)
    while _waits(arrivals, seconds, high).p95 > most_wait:
        low, high = high, high * 2
    while low < high:
        middle = (low + high) // 2
        if _waits(arrivals, seconds, middle).p95 <= most_wait:
            high = middle
        else:
            low = middle + 1
    busiest = _busiest(arrivals)
    simulated = run(busiest, catalog, speed, low)
    return Sizing(
        low, needed / low, sum(seconds) / len(seconds), _waits(arrivals, seconds, low), simulated, len(busiest)
    )


def a_day(demand: Demand) -> list[Arrival]:
    """The arrivals of a day, by their time; the busiest moment is at its middle. The same demand has the same day.

    Times are von Mises, whose density is `exp(k cos t) / I0(k)` of the mean; lengths are log-normal.
    """
    dice = random.Random(SEED)
    k = _concentration(demand.peak)
    middle = math.log(demand.track_seconds) - SPREAD**2 / 2  # so that the mean is as asked
    arrivals = [
        Arrival(
            dice.vonmisesvariate(math.pi, k) / (2 * math.pi) * DAY if k else dice.uniform(0, DAY),
            "a-key",
            demand.model,
            "auto",
            Priority.NORMAL,
            min(LONGEST, max(SHORTEST, dice.lognormvariate(middle, SPREAD))),
        )
        for _ in range(demand.jobs)
    ]
    return sorted(arrivals, key=lambda each: each.at)


def run(arrivals: Sequence[Arrival], catalog: Catalog, speed: float, workers: int) -> Waits:
    """The waits of these jobs in the real store and router, with workers that are idle at first."""
    pool = Pool(name="sized", models=tuple({each.model for each in arrivals}), device="cpu")
    with fresh_store() as store:
        outcome = Simulation(store, [(pool, workers, speed)], catalog).run(list(arrivals))
    return Waits.of([wait for waits in outcome.waits.values() for wait in waits])


def _cost(arrival: Arrival, catalog: Catalog) -> float:
    return KIND.cost(SeparateParams(arrival.model), arrival.track_seconds, catalog)


def _waits(arrivals: Sequence[Arrival], seconds: Sequence[float], workers: int) -> Waits:
    """The waits where each job goes to the worker that is free first."""
    free = [0.0] * workers
    waits = []
    for arrival, needed in zip(arrivals, seconds, strict=True):
        begins = max(arrival.at, free[0])
        heapq.heapreplace(free, begins + needed)
        waits.append(begins - arrival.at)
    return Waits.of(waits)


def _busiest(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """The `MOST_RUN` arrivals about the middle of the day, from second 0 on."""
    spare = max(0, len(arrivals) - MOST_RUN)
    chosen = arrivals[spare // 2 : spare // 2 + MOST_RUN]
    return [replace(each, at=each.at - chosen[0].at) for each in chosen]


def _concentration(peak: float) -> float:
    """The `k` with which the largest density of a von Mises day is `peak` times the mean: exp(k) / I0(k)."""
    low, high = 0.0, 700.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if math.exp(middle) / _bessel(middle) < peak else (low, middle)
    return low if peak > 1 else 0.0


def _bessel(x: float) -> float:
    """I0, the modified Bessel function of order 0, by its series."""
    term, total, number = 1.0, 1.0, 1
    while term > total * 1e-15:
        term *= (x / 2 / number) ** 2
        total, number = total + term, number + 1
    return total
