"""What a workflow of many songs costs the others, and whether it keeps its pools busy: a simulation, by its own clock.

The real acceptance, store, hand-over, router and sender run the jobs; only their work is simulated time. In place of
the broker there is a list for each queue; `simulation` says more.
"""

from __future__ import annotations

import heapq
import io
import itertools
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from stemsvc.control.accept import Acceptance, Request, Rules
from stemsvc.control.job_outputs import JobOutputs
from stemsvc.control.publish import Sender
from stemsvc.control.route import Router
from stemsvc.control.sources import SentFile
from stemsvc.control.workflows import Order, WorkflowAcceptance
from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.pools import Pool
from stemsvc.jobs.record import Lease
from stemsvc.jobs.spec import Envelope, JobSpec
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.workers import Worker
from stemsvc.kinds.limits import Limits
from stemsvc.kinds.separate.kind import SeparateParams, separation
from stemsvc.models.catalog import Catalog, load_catalog
from stemsvc.queue.celery import Publisher
from stemsvc.storage.local import LocalStorage
from stemsvc.workflows.graph import read_steps
from stemsvc.workflows.plan import Draft
from workers.bench.simulation import ENDLESS, ROOMY, Broker, fresh_store
from workers.bench.table import Figure, Say

SPLITS, ANALYSES = 6, 2  # worker processes of the two pools
LATE = 20.0  # second at which the other key's song comes
STEPS: list[dict[str, Any]] = [
    {"id": "split", "do": "separate", "for_each": "sources"},
    {"id": "hear", "do": "analyze", "for_each": "sources", "inputs": {"source": "split.vocals"}},
    {"id": "again", "do": "separate", "for_each": "sources", "inputs": {"source": "split.vocals"}},
]
POOLS = (
    (Pool(name="separate.demo.cpu", kinds=("separate",), models=("demo",), device="cpu"), SPLITS),
    (Pool(name="analyze.cpu", kinds=("analyze",), models=(), device="cpu"), ANALYSES),
)


def workflow_figures(sources: int, say: Say) -> list[Figure]:
    """The idle share of the busiest pools, and how long another key's song waits."""
    say(f"a workflow of {sources} songs on {SPLITS + ANALYSES} simulated workers")
    catalog = load_catalog()
    with tempfile.TemporaryDirectory(prefix="stemsvc-bench-") as folder, fresh_store() as store:
        found = _Simulation(store, LocalStorage(Path(folder), bytes(32)), catalog).run(sources)
    detail = f"{found.jobs:,} jobs of {sources:,} songs on {SPLITS + ANALYSES} workers; while jobs wait for the pool"
    return [
        Figure("idle share of the pools", detail, 100 * max(found.idle_shares.values()), " %", 2.0),
        Figure(
            "jobs that begin before another key's single song, for each worker",
            f"after it came; it waits for {found.late_wait:.1f} s, where a job takes {found.longest:.1f} s",
            found.before / SPLITS,
            " jobs",
            1.0,
        ),
        Figure("jobs lost, doubled or stuck", f"of {found.jobs:,}, by their rows", found.astray, "", 0.0),
    ]


@dataclass
class _Found:
    """What a simulation saw. Times are in seconds of its clock."""

    jobs: int = 0
    longest: float = 0.0  # job of the pool that the late song waits for
    late_wait: float = 0.0
    before: int = 0  # jobs of the pool that began after the late song came and before it
    astray: int = 0
    idle: Counter[str] = field(default_factory=Counter)  # slot seconds without a job while jobs waited, by pool
    whole: Counter[str] = field(default_factory=Counter)  # slot seconds while jobs waited, by pool

    @property
    def idle_shares(self) -> dict[str, float]:
        """Of each pool's slots, while jobs waited for it."""
        return {pool: self.idle[pool] / self.whole[pool] for pool in self.whole if self.whole[pool]}


class _Simulation:
    """Workers of two pools take jobs from the broker; each job ends after its predicted time."""

    def __init__(self, store: JobStore, storage: LocalStorage, catalog: Catalog) -> None:
        self._store = store
        self._broker = Broker()
        self._sender = Sender(store.outbox, cast(Publisher, self._broker))
        pools = [pool for pool, _ in POOLS]
        router = Router(store, catalog, pools, patience=ENDLESS)
        rules = Rules(ROOMY, Limits(ENDLESS, ENDLESS, 10), max_attempts=3, min_free_bytes=0)
        acceptance = Acceptance(store, self._sender, storage, catalog, router, rules)
        self._workflows = WorkflowAcceptance(store, storage, self._sender, acceptance, JobOutputs(store))
        self._slots = {pool.name: count for pool, count in POOLS}
        self._idle = dict(self._slots)
        self._running: list[tuple[float, int, Lease, str]] = []
        self._numbers = itertools.count()
        self._late = ""  # the other key's first job, from when it came until it begins
        for pool, count in POOLS:
            worker = Worker(pool.name, (pool.name,), pool.device, "", slots=count, kinds=pool.kinds)
            store.workers.beat(worker, ENDLESS)

    def run(self, sources: int) -> _Found:
        found, now = _Found(), 0.0
        self._accept("many", sources)
        self._begin(now, found)
        while self._running:
            then = self._running[0][0]
            if now < LATE <= then:
                self._count_idle(LATE - now, found)
                now, self._late = LATE, self._accept("late", 1)
            else:
                self._count_idle(then - now, found)
                now, _, lease, pool = heapq.heappop(self._running)
                self._store.leases.succeed(lease, {}, _outputs(lease))
                self._idle[pool] += 1
            self._begin(now, found)
        states = self._store.count()
        found.jobs = sum(states.values())
        starts = Counter(job.attempt for job in self._store.recent(found.jobs))
        found.astray = found.jobs - min(states["succeeded"], starts[1])
        return found

    def _accept(self, owner: str, sources: int) -> str:
        """Make a workflow; returns the id of the job that begins first."""
        songs = [SentFile(io.BytesIO(b"la"), f"{owner}-{number}.wav") for number in range(sources)]
        order = Order(read_steps(STEPS), STEPS, songs, owner)
        workflow = self._workflows.accept(order, _spec, Request(owner=owner))
        return next(job.id for job in self._store.workflows.jobs(workflow.id) if job.step == "split[0]")

    def _begin(self, now: float, found: _Found) -> None:
        self._sender.send_due()
        for pool in self._slots:
            while self._idle[pool] and (job_id := self._broker.take(pool)):
                taken = self._store.leases.take(job_id, f"{pool}-worker", ENDLESS)
                assert taken is not None, "a job was published twice"
                job, lease = taken
                self._sender.send_due()
                heapq.heappush(self._running, (now + job.cost, next(self._numbers), lease, pool))
                self._idle[pool] -= 1
                if job.kind != "separate":
                    continue
                found.longest = max(found.longest, job.cost)
                if job.id == self._late:
                    found.late_wait, self._late = now - LATE, ""
                elif self._late:
                    found.before += 1

    def _count_idle(self, seconds: float, found: _Found) -> None:
        """Count the slots' time until the next event, for each pool that jobs wait for."""
        for pool, waiting in self._store.waiting().items():
            if pool in self._slots and any(waiting.values()):
                found.whole[pool] += seconds * self._slots[pool]  # type: ignore[assignment]
                found.idle[pool] += seconds * self._idle[pool]  # type: ignore[assignment]


def _spec(draft: Draft) -> JobSpec:
    if draft.step.kind == "separate":
        return separation(SeparateParams("demo", ("vocals",)))
    return JobSpec(draft.step.kind, {}, Envelope(), Encoding())


def _outputs(lease: Lease) -> dict[str, Any]:
    """The file that the job has made: what later steps take."""
    file = {"key": f"jobs/{lease.job_id}/attempt-{lease.attempt}/vocals.flac", "bytes": 2, "content_type": "audio/flac"}
    return {"vocals": file}
