"""What scheduling costs: the real router, store, outbox and sender run jobs whose work is only simulated time.

The jobs of 200 keys arrive over half the time that the workers need for all of them, so that half of them wait at the
peak. In place of the broker there is a list for each queue. The store is SQLite on a RAM disk, so that the figures
measure our code and not a disk. Costs are this process's seconds of CPU: other load on the machine changes them little.
"""

from __future__ import annotations

import random
import statistics
from dataclasses import replace

from stemsvc.jobs.pools import Pool
from stemsvc.jobs.record import Priority
from stemsvc.kinds.separate.kind import KIND, SeparateParams
from stemsvc.models.catalog import Catalog, load_catalog
from workers.bench.simulation import Arrival, Outcome, Simulation, fresh_store
from workers.bench.table import Figure, Say

KEYS = 200
WORKERS = 1000
LEAST = 50_000  # jobs of one size over up to five runs: one run of a thousand jobs takes seconds and says little
POOLS = (  # pool, share of the workers, how much faster than the reference machine
    (Pool(name="gpu-large", models=("htdemucs", "htdemucs_ft"), device="cuda"), 0.3, 60.0),
    (Pool(name="gpu-small", models=("htdemucs",), device="cuda", priority=1), 0.3, 30.0),
    (Pool(name="cpu", models=("demo", "htdemucs"), device="cpu"), 0.4, 1.0),
)
MIX = (("htdemucs", "auto", 0.5), ("htdemucs_ft", "auto", 0.2), ("htdemucs", "cpu", 0.05), ("demo", "auto", 0.25))
PRIORITIES = ((Priority.HIGH, 0.1), (Priority.NORMAL, 0.7), (Priority.LOW, 0.2))


def queue_figures(sizes: tuple[int, ...], say: Say) -> list[Figure]:
    """The cost of a job at each size, how long the jobs of the largest run waited, and how fair their shares were."""
    catalog = load_catalog()
    figures, outcomes = [], {}
    _crowd(sizes[0] // 2, catalog)  # warm up: what is done only once, like building statements, is no cost of a job
    for size in sizes:
        times = max(1, min(5, LEAST // size))
        runs = sorted((_crowd(size, catalog) for _ in range(times)), key=lambda each: each.microseconds)
        outcome = outcomes[size] = runs[times // 2]
        pace = f"{size / outcome.wall_seconds:.0f} jobs/s, {outcome.wall_seconds:.0f} s in all"
        pace += f", median of {times}" if times > 1 else ""
        say(f"{size} jobs: {outcome.microseconds:.0f} µs of CPU each, {pace}")
        detail = f"accepted, routed, published, leased and ended; {pace}"
        figures.append(Figure(f"CPU for each of {size:,} jobs", detail, outcome.microseconds, " µs"))
    first, last = outcomes[sizes[0]], outcomes[sizes[-1]]
    grown = last.microseconds / first.microseconds
    figures.append(Figure("growth of that cost", f"from {sizes[0]:,} to {sizes[-1]:,} jobs", grown, "×", bar=1.2))
    say("waits and shares")
    figures += _wait_figures(last)
    figures += _share_figures(catalog)
    return figures


def _crowd(size: int, catalog: Catalog) -> Outcome:
    """Simulate `size` jobs that arrive over half the time that all workers need for them."""
    dice = random.Random(size)
    arrivals = [_arrival(dice, number) for number in range(size)]
    pools = [(pool, int(share * WORKERS), speed) for pool, share, speed in POOLS]
    power = sum(count * speed for _, count, speed in pools)
    work = sum(KIND.cost(SeparateParams(each.model), each.track_seconds, catalog) for each in arrivals)
    span = work / power
    arrivals = [replace(each, at=dice.uniform(0, span / 2)) for each in arrivals]
    with fresh_store() as store:
        return Simulation(store, pools, catalog).run(arrivals)


def _arrival(dice: random.Random, number: int) -> Arrival:
    model, device, _ = dice.choices(MIX, [weight for *_, weight in MIX])[0]
    priority, _ = dice.choices(PRIORITIES, [weight for _, weight in PRIORITIES])[0]
    owner = 0 if dice.random() < 0.25 else dice.randrange(KEYS)  # the first key sends a quarter of all jobs
    seconds = min(3600.0, max(20.0, dice.lognormvariate(5.4, 0.5)))  # a median of 221 s
    return Arrival(0.0, f"key-{owner:03d}", model, device, priority, seconds)


def _wait_figures(outcome: Outcome) -> list[Figure]:
    figures = []
    for priority in Priority:
        waits = sorted(outcome.waits[int(priority)])
        p95 = waits[int(0.95 * (len(waits) - 1))]
        detail = f"of {len(waits):,} jobs, seconds of the simulated clock; p95 {p95:.0f} s"
        figures.append(Figure(f"median wait, {priority.word}", detail, statistics.median(waits), " s"))
    return figures


def _share_figures(catalog: Catalog) -> list[Figure]:
    """How fair it is among owners who all have waiting jobs, and to one who comes when another's thousand jobs wait."""
    dice = random.Random(7)
    pool, workers = Pool(name="cpu", models=("demo",), device="cpu"), 50
    arrivals = []
    for owner in range(KEYS):  # some send many short tracks, some few long ones
        seconds = dice.choice((60.0, 240.0, 900.0))
        arrivals += [
            Arrival(0.0, f"key-{owner:03d}", "demo", "auto", Priority.NORMAL, seconds * dice.uniform(0.8, 1.2))
            for _ in range(int(20000 / seconds * dice.uniform(1, 3)))
        ]
    dice.shuffle(arrivals)
    with fresh_store() as store:
        outcome = Simulation(store, [(pool, workers, 1.0)], catalog).run(arrivals, until_first_dry=True)
    index = _jain([float(outcome.served[f"key-{owner:03d}"]) for owner in range(KEYS)])
    many = [Arrival(0.0, "many", "demo", "auto", Priority.NORMAL, dice.uniform(200, 280)) for _ in range(1000)]
    came = 20.0
    with fresh_store() as store:
        simulation = Simulation(store, [(pool, workers, 1.0)], catalog)
        began = simulation.run([*many, Arrival(came, "late", "demo", "auto", Priority.NORMAL, 240.0)]).began
    before = sum(at >= came for at, _ in began[: [owner for _, owner in began].index("late")])
    return [
        Figure("fairness index", f"Jain's, of device seconds of {KEYS} keys that wait", index, "", 0.95, floor=True),
        Figure(
            "another's jobs that begin before a late key's first",
            f"of 1000 that wait for {workers} workers",
            before,
            "",
            float(workers),
        ),
    ]


def _jain(shares: list[float]) -> float:
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))
