"""What deciding costs: router, store, outbox and sender as they are, over jobs whose work is only a clock's.

Jobs of 200 keys come over half the time that the workers need for all of them, so that half of them wait at the peak.
The broker is a list for each queue; the store is SQLite on a RAM disk, so that the figures are of our code and not of
a disk. Costs are seconds of CPU of this process, which other load on the machine does not change much.
"""

from __future__ import annotations

import heapq
import itertools
import random
import statistics
import tempfile
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from stemsvc.catalog import Catalog, load_catalog
from stemsvc.jobs import Job, JobOptions, JobState, Lease, Priority, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.bounds import Bounds
from stemsvc.jobstore.engine import migrate
from stemsvc.jobstore.outbox import Claimed
from stemsvc.jobstore.workers import Worker
from stemsvc.pools import Pool, queue_of
from stemsvc.queue import Publisher
from stemsvc.router import Router, predicted_cost
from stemsvc.sender import Sender
from workers.bench.table import Figure, Say

KEYS = 200
WORKERS = 1000
POOLS = (  # share of the workers, how much faster than the reference machine
    (Pool(name="gpu-large", models=("htdemucs", "htdemucs_ft"), device="cuda"), 0.3, 60.0),
    (Pool(name="gpu-small", models=("htdemucs",), device="cuda", priority=1), 0.3, 30.0),
    (Pool(name="cpu", models=("demo", "htdemucs"), device="cpu"), 0.4, 1.0),
)
MIX = (("htdemucs", "auto", 0.5), ("htdemucs_ft", "auto", 0.2), ("htdemucs", "cpu", 0.05), ("demo", "auto", 0.25))
PRIORITIES = ((Priority.HIGH, 0.1), (Priority.NORMAL, 0.7), (Priority.LOW, 0.2))
ENDLESS = 10.0**9  # seconds: leases and workers outlive the simulation
ROOMY = Bounds(10**9, 10**9)


@dataclass
class Broker:
    """A list for each queue, in place of Redis."""

    queues: defaultdict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))

    def publish(self, claimed: Claimed) -> None:
        """As `Publisher` does."""
        self.queues[claimed.queue].append(claimed.job_id)

    def take(self, pool: str) -> str | None:
        """What a worker of the pool is given."""
        for priority in Priority:
            if queue := self.queues[queue_of(pool, priority)]:
                return queue.popleft()
        return None


@dataclass
class Outcome:
    """What became of a simulation."""

    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    jobs: int = 0
    waits: defaultdict[int, list[float]] = field(default_factory=lambda: defaultdict(list))  # seconds, by priority
    served: Counter[str] = field(default_factory=Counter)  # seconds of devices by owner
    began: list[tuple[float, str]] = field(default_factory=list)  # when and whose, in their order

    @property
    def microseconds(self) -> float:
        """CPU for each job."""
        return self.cpu_seconds / self.jobs * 1e6


@dataclass(frozen=True)
class Arrival:
    """A job that comes at some second."""

    at: float
    owner: str
    model: str
    device: str
    priority: Priority
    track_seconds: float


class Simulation:
    """Workers that take what the broker has and are done after their time."""

    def __init__(self, store: JobStore, pools: list[tuple[Pool, int, float]], catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog
        self._speed = {pool.name: speed for pool, _, speed in pools}
        self._idle = {pool.name: count for pool, count, _ in pools}
        self._broker = Broker()
        self._sender = Sender(store.outbox, cast(Publisher, self._broker))
        self._router = Router(store, catalog, [pool for pool, _, _ in pools], patience=ENDLESS)
        self._running: list[tuple[float, int, Lease, str]] = []
        self._numbers = itertools.count()
        self._came: dict[str, float] = {}
        for pool, count, _ in pools:
            store.workers.beat(Worker(pool.name, (pool.name,), pool.device, "", slots=count), ENDLESS)

    def run(self, arrivals: list[Arrival], until_first_dry: bool = False) -> Outcome:
        """Accept what arrives, have all of it done; or stop once an owner has nothing left that waits."""
        outcome, coming = Outcome(jobs=len(arrivals)), deque(sorted(arrivals, key=lambda each: each.at))
        left = Counter(each.owner for each in arrivals)
        cpu, wall = time.process_time(), time.perf_counter()
        while coming or self._running:
            if coming and (not self._running or coming[0].at <= self._running[0][0]):
                now = coming[0].at
                pools = set()
                while coming and coming[0].at <= now:
                    pools.add(self._accept(coming.popleft()))
            else:
                now, _, lease, pool = heapq.heappop(self._running)
                self._store.succeed(lease, {}, {})
                self._idle[pool] += 1
                pools = {pool}
            self._begin(pools, now, outcome, left)
            if until_first_dry and min(left.values()) == 0:
                break
        outcome.cpu_seconds, outcome.wall_seconds = time.process_time() - cpu, time.perf_counter() - wall
        return outcome

    def _accept(self, arrival: Arrival) -> str:
        entry = self._catalog.get(arrival.model)
        options = JobOptions(arrival.model, arrival.device, ("vocals",), priority=arrival.priority.word)
        cost = predicted_cost(entry, options.separation, arrival.track_seconds)
        choice = self._router.choose(entry, arrival.device, cost)
        job_id = new_job_id()
        job = Job(job_id, JobState.QUEUED, options, choice.pool.name, f"jobs/{job_id}/input", "song.mp3", 1)
        job = replace(job, owner=arrival.owner, priority=int(arrival.priority), cost=cost)
        self._store.intake.put(job, f"accepted; {choice.why}", ROOMY, None, arrival.track_seconds)
        self._came[job_id] = arrival.at
        return choice.pool.name

    def _begin(self, pools: set[str], now: float, outcome: Outcome, left: Counter[str]) -> None:
        self._sender.send_due()
        for pool in pools:
            while self._idle[pool] and (job_id := self._broker.take(pool)):
                taken = self._store.take_lease(job_id, f"{pool}-worker", ENDLESS)
                self._sender.send_due()
                assert taken is not None
                job, lease = taken
                seconds = job.cost / self._speed[pool]
                heapq.heappush(self._running, (now + seconds, next(self._numbers), lease, pool))
                self._idle[pool] -= 1
                left[job.owner] -= 1
                outcome.waits[job.priority].append(now - self._came.pop(job_id))
                outcome.served[job.owner] += seconds  # type: ignore[assignment]
                outcome.began.append((now, job.owner))


def queue_figures(sizes: tuple[int, ...], say: Say) -> list[Figure]:
    """The cost of a job at each size, what the largest one's jobs waited, how fair it was."""
    catalog = load_catalog()
    figures, outcomes = [], {}
    _crowd(sizes[0] // 2, catalog)  # what is done once, like building statements, is not a job's cost
    for size in sizes:
        outcome = _crowd(size, catalog)
        outcomes[size] = outcome
        pace = f"{size / outcome.wall_seconds:.0f} jobs/s, {outcome.wall_seconds:.0f} s in all"
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
    """`size` jobs over half the time that all workers need for them."""
    dice = random.Random(size)
    arrivals = [_arrival(dice, number) for number in range(size)]
    pools = [(pool, int(share * WORKERS), speed) for pool, share, speed in POOLS]
    power = sum(count * speed for _, count, speed in pools)
    work = sum(
        predicted_cost(catalog.get(each.model), JobOptions("").separation, each.track_seconds) for each in arrivals
    )
    span = work / power
    arrivals = [replace(each, at=dice.uniform(0, span / 2)) for each in arrivals]
    with _store() as store:
        return Simulation(store, pools, catalog).run(arrivals)


def _arrival(dice: random.Random, number: int) -> Arrival:
    model, device, _ = dice.choices(MIX, [weight for *_, weight in MIX])[0]
    priority, _ = dice.choices(PRIORITIES, [weight for _, weight in PRIORITIES])[0]
    owner = 0 if dice.random() < 0.25 else dice.randrange(KEYS)  # one of them sends a quarter of all
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
    """Owners who all have jobs waiting; and one who comes when another's thousand wait."""
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
    with _store() as store:
        outcome = Simulation(store, [(pool, workers, 1.0)], catalog).run(arrivals, until_first_dry=True)
    index = _jain([float(outcome.served[f"key-{owner:03d}"]) for owner in range(KEYS)])
    many = [Arrival(0.0, "many", "demo", "auto", Priority.NORMAL, dice.uniform(200, 280)) for _ in range(1000)]
    came = 20.0
    with _store() as store:
        simulation = Simulation(store, [(pool, workers, 1.0)], catalog)
        began = simulation.run([*many, Arrival(came, "late", "demo", "auto", Priority.NORMAL, 240.0)]).began
    before = sum(at >= came for at, _ in began[: [owner for _, owner in began].index("late")])
    return [
        Figure("fairness index", f"Jain's, of device seconds of {KEYS} keys that wait", index, "", 0.95, floor=True),
        Figure(
            "another's jobs that begin before a late key's first", f"of 1000 that wait for {workers} workers",
            before, "", float(workers),
        ),
    ]  # fmt: skip


def _jain(shares: list[float]) -> float:
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))


@contextmanager
def _store() -> Iterator[JobStore]:
    # a RAM disk, where Linux has one; tempfile makes a folder of our own in it
    fast = Path("/dev/shm")  # nosec B108
    place: Any = {"dir": fast} if fast.is_dir() else {}
    with tempfile.TemporaryDirectory(prefix="stemsvc-queue-", **place) as folder:
        url = f"sqlite:///{folder}/jobs.sqlite"
        migrate(url)
        store = JobStore(url, ahead=2)
        try:
            yield store
        finally:
            store.close()
