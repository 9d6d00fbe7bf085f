"""Several stores over one database, as several processes have them, that do something at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa

from stemsvc.jobs.pools import FETCH
from stemsvc.jobs.record import Job, JobState, Lease, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.tables import lines, shares
from tests.schema import fresh_schema
from tests.specs import job_of, spec_of

T = TypeVar("T")
RACERS = 5
ROUNDS = 6  # a race is lost only sometimes
POOL = "separate.demo.cpu"


@contextmanager
def racers(url: str, ahead: int = 100) -> Iterator[list[JobStore]]:
    """Stores with an engine of their own each, over a fresh schema."""
    fresh_schema(url)
    stores = [JobStore(url, ahead=ahead) for _ in range(RACERS)]
    try:
        yield stores
    finally:
        for each in stores:
            each.close()


def race(stores: Sequence[JobStore], act: Callable[..., T], *arguments: object) -> list[T]:
    """Every store does `act(store, *arguments)` at once; what each got."""
    return race_all([(store, act, *arguments) for store in stores])


def race_all(acts: Sequence[tuple[Any, ...]]) -> list[Any]:
    """For each `(store, act, *arguments)`, `act(store, *arguments)` at once; what each got. A failure is raised."""
    barrier = threading.Barrier(len(acts))

    def run(each: tuple[Any, ...]) -> Any:
        store, act, *arguments = each
        store.ping()  # the connection is open before the start
        barrier.wait(30)
        return act(store, *arguments)

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def new_job(owner: str = "", pool: str = POOL, webhook_url: str = "", next_pool: str | None = None) -> Job:
    job_id = new_job_id()
    events = ("job.progress", "job.succeeded", "job.failed") if webhook_url else ()
    spec = spec_of("demo", stems=("vocals",), webhook_url=webhook_url, webhook_events=events)
    name = f"jobs/{job_id}/input"
    return job_of(job_id, JobState.QUEUED, spec, pool, name, "song.mp3", owner=owner, next_pool=next_pool)


def link_job(owner: str = "") -> Job:
    """A job whose track is fetched first."""
    return new_job(owner, FETCH, next_pool=POOL)


def put(store: JobStore, job: Job) -> Job:
    return store.intake.put(job, "accepted").job


def taken(store: JobStore, job: Job, seconds: float = 60) -> Lease:
    found = store.leases.take(job.id, "worker", seconds)
    assert found is not None
    return found[1]


def counts(store: JobStore) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """What the queues and the owners' shares say of themselves, where they say more than nothing."""
    queues = sa.select(lines.c.pool, lines.c.priority, lines.c.waiting, lines.c.published)
    owners = sa.select(shares.c.pool, shares.c.priority, shares.c.owner, shares.c.waiting)
    with store._engine.begin() as connection:
        of_queues = sorted(tuple(row) for row in connection.execute(queues) if row.waiting or row.published)
        of_owners = sorted(tuple(row) for row in connection.execute(owners) if row.waiting)
        return of_queues, of_owners


def assert_counts_are_right(store: JobStore) -> None:
    before = counts(store)
    store.recount()
    assert before == counts(store)
