"""What happened to the jobs of some owners, or of all: read from where a reader stopped, without a gap.

The time of an entry says little on when others can see it: with PostgreSQL a transaction that began first may be
committed last, and any host's clock may be set back. So a reader looks a little further back each time, and skips what
it had. Ids alone are no place to go on from: SQLite gives one again after the newest rows were deleted.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from stemsvc.jobs.record import LIVE, WAITING_FOR_POOL, Event, Job, JobState
from stemsvc.jobstore.engine import reading
from stemsvc.jobstore.rows import to_job
from stemsvc.jobstore.snapshots import Snapshot
from stemsvc.jobstore.tables import db_now, events, jobs
from stemsvc.jobstore.workers import Workers

BACK_MS = 15_000  # a transaction is ended that waits for longer: see `jobstore.engine`
MOST_READ = 500  # entries at a time
MOST_WRITTEN = 100  # entries that a written place remembers; with more in `BACK_MS`, some come twice
Mark = tuple[int, int]  # an entry's id and its time in milliseconds: together they name one entry
Owners = Collection[str] | None  # None: all
_PLACE = re.compile(r"(\d{1,15})((?:-\d{1,18}\.\d{1,6})*)", re.ASCII)


@dataclass(frozen=True)
class Place:
    """Where a reader stopped: it has read what could be seen until `at`, and of the last `BACK_MS` it read `seen`.

    `at` is in milliseconds since the epoch, by the database's clock.
    """

    at: int
    seen: frozenset[Mark] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Place:
        """The place that `str` wrote. Raises `ValueError`."""
        found = _PLACE.fullmatch(text)
        if found is None:
            raise ValueError("no place")
        at, marks = int(found[1]), [each.partition(".") for each in found[2].split("-")[1:]]
        return cls(at, frozenset((int(number), at - int(before)) for number, _, before in marks[:MOST_WRITTEN]))

    def __str__(self) -> str:
        last = sorted(self.seen, key=lambda mark: mark[::-1])[-MOST_WRITTEN:]
        return "-".join((str(self.at), *(f"{number}.{self.at - at}" for number, at in last)))

    def past(self, marks: Collection[Mark]) -> Place:
        """The place after these entries too."""
        newest = max([self.at, *(at for _, at in marks)])
        return Place(newest, _since(newest, {*self.seen, *marks}))


@dataclass(frozen=True)
class Entry:
    """An entry of a timeline, its job as it is now, and the place after it."""

    event: Event
    job: Job
    place: Place


class Feed:
    """The timelines of many jobs as one."""

    def __init__(self, engine: sa.Engine, workers: Workers) -> None:
        self._engine = engine
        self._workers = workers

    def now(self) -> Place:
        """The place of who starts now."""
        with reading(self._engine) as connection:
            return Place(_now(connection))

    def after(self, place: Place, owners: Owners, workflow: str | None = None) -> list[Entry]:
        """The next `MOST_READ` entries, oldest first; an empty list at the end. `workflow`: only of that one's jobs."""
        since = place.at - (BACK_MS if place.seen else 0)
        query = _entries(sa.select(events), since, owners).order_by(events.c.at, events.c.id)
        if workflow is not None:
            query = query.where(jobs.c.workflow_id == workflow)
        with reading(self._engine) as connection:
            rows = connection.execute(query.limit(MOST_READ + len(place.seen))).mappings()
            found = [row for row in rows if _mark(row["id"], row["at"]) not in place.seen][:MOST_READ]
            named = sa.select(jobs).where(jobs.c.id.in_({row["job_id"] for row in found}))
            by_id = {row["id"]: to_job(row) for row in connection.execute(named).mappings()}
        entries = []
        for r in found:
            place = place.past([_mark(r["id"], r["at"])])
            event = Event(r["at"], r["from_state"], r["to_state"], r["why"], r["worker"], r["id"])
            entries.append(Entry(event, by_id[r["job_id"]], place))
        return entries

    def moved(self, place: Place, owners: Owners) -> tuple[set[str], Place]:
        """The owners with an entry after the place, and the place of now, whatever the clock was before."""
        query = _entries(sa.select(events.c.id, events.c.at, jobs.c.owner), place.at - BACK_MS, owners)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
            now = _now(connection)
        found = {mark: row.owner for row in rows if (mark := _mark(row.id, row.at)) not in place.seen}
        return set(found.values()), Place(now, _since(now, {*place.seen, *found}))

    def live(self, owners: Owners) -> dict[str, dict[str, Snapshot]]:
        """Snapshots of the queued and running jobs, by owner and id."""
        names = ("owner", "id", "state", "attempt", "stage", "fraction", "expected_at", "pool", "kind", "next_pool")
        live = jobs.c.state.in_([*map(str, LIVE)])
        query = sa.select(*(jobs.c[name] for name in names)).where(live, *_of(owners))
        by_owner: dict[str, dict[str, Snapshot]] = {}
        with reading(self._engine) as connection:
            for row in connection.execute(query).all():
                by_owner.setdefault(row.owner, {})[row.id] = self._snapshot(row)
        return by_owner

    def _snapshot(self, row: sa.Row[tuple[object, ...]]) -> Snapshot:
        stage = row.stage
        if row.state == "queued":
            slots = self._workers.slots(row.kind if row.next_pool is None else None)
            stage = stage if slots.get(row.pool) else WAITING_FOR_POOL
        return Snapshot(JobState(row.state), row.attempt, stage, row.fraction, 0, row.expected_at)


def _entries(query: sa.Select[tuple[object, ...]], since: int, owners: Owners) -> sa.Select[tuple[object, ...]]:
    """The query with the conditions that an entry is of these owners' jobs, and not older than `since`, in ms."""
    return query.join(jobs, jobs.c.id == events.c.job_id).where(events.c.at >= since / 1000, *_of(owners))


def _of(owners: Owners) -> Sequence[sa.ColumnElement[bool]]:
    return [] if owners is None else [jobs.c.owner.in_(list(owners))]


def _since(at: int, marks: Collection[Mark]) -> frozenset[Mark]:
    """The marks that a reader may meet again who goes on from there. Times in ms are cut: some more are kept."""
    return frozenset(each for each in marks if each[1] >= at - BACK_MS - 2)


def _mark(number: int, at: float) -> Mark:
    return number, int(at * 1000)


def _now(connection: sa.Connection) -> int:
    return int(float(connection.execute(sa.select(db_now())).scalar_one()) * 1000)
