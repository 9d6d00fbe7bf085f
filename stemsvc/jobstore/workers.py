"""The live pool processes of all workers, by their own reports: the pools they serve, their device, its free memory."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa

from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.fair_queue import upsert
from stemsvc.jobstore.tables import db_now, jobs, pool_drains, workers

KNOWN_SECONDS = 1.0  # for so long `slots` answers from memory
FORGET_SECONDS = 86400.0
_NAME = re.compile(r"(.*\.[0-9a-f]{16})\.\d+:\d+")  # `workers.host.identity` makes it; before it was `host:pid`
OF_0_1 = ("separate",)  # the kinds of a worker that reports none: it is of release 0.1
MAIN = "main"  # among the facts of a pool process: the name of its worker's main process
_SIGNS = sa.select(workers.c.id, workers.c.seen_at, workers.c.expires_at, workers.c.facts)


@dataclass(frozen=True)
class Worker:
    """What a worker's process reports of itself; `slots` is how many jobs it runs at a time.

    The main process of pool processes runs none, and serves no pool.
    """

    id: str  # as leases and timelines name it
    pools: tuple[str, ...]
    device: str
    device_name: str
    slots: int = 1
    free_memory_mb: int | None = None  # of the device
    models: tuple[str, ...] = ()  # whose weights are loaded
    job_ids: tuple[str, ...] = ()
    version: str = ""
    kinds: tuple[str, ...] | None = None  # that it can do; None: release 0.1, which can only separate
    facts: Mapping[str, Any] = field(
        default_factory=dict
    )  # of its machine and installation: `workers.host.capabilities`


@dataclass(frozen=True)
class Seen:
    """A worker, when it started and when it last reported, in seconds since the epoch by the database's clock."""

    worker: Worker
    started_at: float
    seen_at: float


@dataclass(frozen=True)
class AtWork:
    """What a worker does: a job, and the step of a workflow that it is, where it is one."""

    job_id: str
    kind: str
    stage: str
    fraction: float
    workflow_id: str | None
    step: str | None


def machine(worker: str) -> str:
    """Where a worker runs, by its name: the machine or container, in one run of its kernel."""
    found = _NAME.fullmatch(worker)
    return found[1] if found else worker.rpartition(":")[0]


def died_whole(connection: sa.Connection, process: str) -> bool | None:
    """Whether a silent pool process fell silent together with the whole worker that it belongs to; None: not yet known.

    Its worker's main process tells: that one reports too, and reports on where a pool process alone is gone. It may be
    late on a busy machine, so only its own time decides that it is gone. A process of an earlier release names no main
    process. For it the others of its machine tell: none of them may live.
    """
    own = connection.execute(_SIGNS.where(workers.c.id == process)).one_or_none()
    main = own.facts.get(MAIN) if own is not None and own.facts else None
    if own is None or main is None:
        signs = connection.execute(sa.select(workers.c.id, workers.c.expires_at > db_now())).all()
        of_machine = [bool(lives) for name, lives in signs if machine(name) == machine(process)]
        return bool(of_machine) and not any(of_machine)
    query = sa.select(workers.c.seen_at, (workers.c.expires_at > db_now()).label("lives")).where(workers.c.id == main)
    found = connection.execute(query).one_or_none()
    missed = (own.expires_at - own.seen_at) / 2  # more than one beat, fewer than two: they don't beat at one moment
    if found is None:
        return True
    if found.seen_at > own.seen_at + missed:
        return False
    return None if found.lives else True


class Workers:
    """The workers' reports in SQL. Safe to share between threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._slots: dict[str | None, dict[str, int]] = {}
        self._known_until = 0.0
        self._guard = threading.Lock()

    def beat(self, worker: Worker, seconds: float) -> None:
        """Store a worker's report. The worker counts as live for `seconds` more."""
        report: dict[str, Any] = {
            **asdict(worker),
            "pools": list(worker.pools),
            "models": list(worker.models),
            "kinds": None if worker.kinds is None else list(worker.kinds),
            "job_ids": list(worker.job_ids),
            "seen_at": db_now(),
            "expires_at": db_now() + seconds,
        }
        with translated(), self._engine.begin() as connection:
            insert = upsert(connection, workers).values(**report, started_at=db_now())
            report.pop("id")
            connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=report))

    def leave(self, worker_id: str) -> None:
        """Record that the worker has ended."""
        with translated(), self._engine.begin() as connection:
            connection.execute(workers.update().where(workers.c.id == worker_id).values(expires_at=db_now()))

    def living(self) -> list[Seen]:
        """The live workers that run jobs, by id."""
        live = sa.and_(workers.c.expires_at > db_now(), workers.c.slots > 0)
        query = sa.select(workers).where(live).order_by(workers.c.id)
        with reading(self._engine) as connection:
            return [_seen(dict(row)) for row in connection.execute(query).mappings()]

    def at_work(self, job_ids: Collection[str]) -> dict[str, AtWork]:
        """What those jobs are now, by id; those that don't exist are left out."""
        columns = (jobs.c.id, jobs.c.kind, jobs.c.stage, jobs.c.fraction, jobs.c.workflow_id, jobs.c.step)
        with reading(self._engine) as connection:
            found = connection.execute(sa.select(*columns).where(jobs.c.id.in_(list(job_ids)))).all()
        return {row.id: AtWork(*row) for row in found}

    def slots(self, kind: str | None = None) -> dict[str, int]:
        """By pool, how many jobs its live workers run at a time; with `kind`, only workers that can do it count.

        A drained pool has none, because its workers take no job. The numbers are at most `KNOWN_SECONDS` old.
        """
        with self._guard:
            if time.monotonic() >= self._known_until:
                self._slots, self._known_until = self._found_slots(), time.monotonic() + KNOWN_SECONDS
            return self._slots.get(kind, {})

    def _found_slots(self) -> dict[str | None, dict[str, int]]:
        query = sa.select(workers.c.pools, workers.c.slots, workers.c.kinds).where(workers.c.expires_at > db_now())
        found: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
        with reading(self._engine) as connection:
            drained = set(connection.execute(sa.select(pool_drains.c.pool)).scalars())
            for named, slots, kinds in connection.execute(query).all():
                pools = [pool for pool in named if pool not in drained]
                for kind in (None, *(OF_0_1 if kinds is None else kinds)):
                    found[kind].update(dict.fromkeys(pools, slots))
        return {kind: dict(counter) for kind, counter in found.items()}

    def silence(self) -> tuple[float, dict[str, float]]:
        """The database's time, and by pool the time until which its last worker counts as live.

        A pool whose workers' rows are deleted is left out.
        """
        last: dict[str, float] = {}
        with reading(self._engine) as connection:
            now = float(connection.execute(sa.select(db_now())).scalar_one())
            for pools, until in connection.execute(sa.select(workers.c.pools, workers.c.expires_at)).all():
                for pool in pools:
                    last[pool] = max(until, last.get(pool, 0.0))
        return now, last

    def forget(self) -> None:
        """Delete the workers that have been gone for a day."""
        with translated(), self._engine.begin() as connection:
            connection.execute(workers.delete().where(workers.c.expires_at < db_now() - FORGET_SECONDS))


def _seen(row: dict[str, Any]) -> Seen:
    started_at, seen_at = row.pop("started_at"), row.pop("seen_at")
    row.pop("expires_at")
    for name in ("pools", "models", "job_ids"):
        row[name] = tuple(row[name])
    row["facts"] = row["facts"] or {}
    row["kinds"] = None if row["kinds"] is None else tuple(row["kinds"])
    return Seen(Worker(**row), started_at, seen_at)
