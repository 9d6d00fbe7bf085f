"""Simulates workers, keys and a broker by a clock of its own, over the real store, router and sender."""

from __future__ import annotations

import heapq
import itertools
import tempfile
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from stemsvc.control.publish import Sender
from stemsvc.control.route import Router
from stemsvc.jobs.pools import Pool, queue_of
from stemsvc.jobs.record import Job, JobState, Lease, Priority, input_key, new_job_id
from stemsvc.jobs.spec import Envelope, Input
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.bounds import Bounds
from stemsvc.jobstore.engine import migrate
from stemsvc.jobstore.outbox import Claimed
from stemsvc.jobstore.workers import Worker
from stemsvc.kinds.separate.kind import KIND, SeparateParams, separation
from stemsvc.models.catalog import Catalog
from stemsvc.queue.celery import Publisher

ENDLESS = 10.0**9  # seconds: leases and workers outlive the simulation
ROOMY = Bounds(10**9, 10**9)


@dataclass
class Broker:
    """A list for each queue, in place of Redis."""

    queues: defaultdict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))

    def publish(self, claimed: Claimed) -> None:
        """Put a job into its queue, as `Publisher.publish` does."""
        self.queues[claimed.queue].append(claimed.job_id)

    def take(self, pool: str) -> str | None:
        """The id of the next job for a worker of the pool; None if no job waits."""
        for priority in Priority:
            if queue := self.queues[queue_of(pool, priority)]:
                return queue.popleft()
        return None


@dataclass
class Outcome:
    """Costs, waits and shares of a simulation."""

    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    jobs: int = 0
    waits: defaultdict[int, list[float]] = field(default_factory=lambda: defaultdict(list))  # seconds, by priority
    served: Counter[str] = field(default_factory=Counter)  # device seconds by owner
    began: list[tuple[float, str]] = field(default_factory=list)  # (second, owner), first come first

    @property
    def microseconds(self) -> float:
        """CPU time for each job."""
        return self.cpu_seconds / self.jobs * 1e6


@dataclass(frozen=True)
class Arrival:
    """A job that comes at the second `at` of the simulation."""

    at: float
    owner: str
    model: str
    device: str
    priority: Priority
    track_seconds: float


class Simulation:
    """Workers take jobs from the broker; each job ends after its predicted time."""

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
        """Accept all jobs and run them to their ends; or stop as soon as one owner has no job left that waits."""
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
                self._store.leases.succeed(lease, {}, {})
                self._idle[pool] += 1
                pools = {pool}
            self._begin(pools, now, outcome, left)
            if until_first_dry and min(left.values()) == 0:
                break
        outcome.cpu_seconds, outcome.wall_seconds = time.process_time() - cpu, time.perf_counter() - wall
        return outcome

    def _accept(self, arrival: Arrival) -> str:
        params = SeparateParams(arrival.model, ("vocals",))
        spec = separation(params, Envelope(device=arrival.device, priority=arrival.priority.word))
        cost = KIND.cost(params, arrival.track_seconds, self._catalog)
        choice = self._router.choose(KIND.name, KIND.needs(params, self._catalog), arrival.device, cost)
        job_id = new_job_id()
        track = Input("song.mp3", input_key(job_id), 1)
        job = Job(job_id, JobState.QUEUED, spec, choice.pool.name, (track,))
        job = replace(job, owner=arrival.owner, priority=int(arrival.priority), cost=cost)
        self._store.intake.put(job, f"accepted; {choice.why}", ROOMY, None, arrival.track_seconds)
        self._came[job_id] = arrival.at
        return choice.pool.name

    def _begin(self, pools: set[str], now: float, outcome: Outcome, left: Counter[str]) -> None:
        self._sender.send_due()
        for pool in pools:
            while self._idle[pool] and (job_id := self._broker.take(pool)):
                taken = self._store.leases.take(job_id, f"{pool}-worker", ENDLESS)
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


@contextmanager
def fresh_store() -> Iterator[JobStore]:
    """An empty store, on a RAM disk if there is one."""
    # Linux's RAM disk; tempfile makes a folder in it that only we can open
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
