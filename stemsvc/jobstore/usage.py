"""What clients used: jobs, minutes of audio, seconds of devices. Kept when jobs are deleted."""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa

from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.tables import db_now, usage


@dataclass
class Account:
    """What one client used in a period."""

    owner: str
    jobs: dict[str, int] = field(default_factory=dict)  # by state
    cached: int = 0
    audio_seconds: float = 0.0  # of jobs that succeeded
    device_seconds: float = 0.0

    @property
    def total(self) -> int:
        """The number of all jobs."""
        return sum(self.jobs.values())


class Usage:
    """The accounts in SQL."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def spend(self, job_id: str, device_seconds: float, used_seconds: float = 0.0) -> None:
        """Add to the device seconds of a job, also for an attempt that fails.

        The attempt has computed `used_seconds` of the track; what counts is the attempt that came furthest.
        """
        furthest = sa.case((usage.c.used_seconds < used_seconds, used_seconds), else_=usage.c.used_seconds)
        more = {"device_seconds": usage.c.device_seconds + device_seconds, "used_seconds": furthest}
        with translated(), self._engine.begin() as connection:
            connection.execute(usage.update().where(usage.c.job_id == job_id).values(more))

    def accounts(self, since: float, until: float | None = None, owner: str | None = None) -> list[Account]:
        """Each client's account, of jobs accepted from `since` on and before `until` (seconds since the epoch)."""
        which = [usage.c.accepted_at >= since]
        if until is not None:
            which.append(usage.c.accepted_at < until)
        if owner is not None:
            which.append(usage.c.owner == owner)
        audio = sa.case((usage.c.state == "succeeded", usage.c.track_seconds), else_=0.0)
        query = (
            sa.select(
                usage.c.owner,
                usage.c.state,
                usage.c.cached,
                sa.func.count().label("count"),
                sa.func.sum(audio).label("audio"),
                sa.func.sum(usage.c.device_seconds).label("device"),
            )
            .where(*which)
            .group_by(usage.c.owner, usage.c.state, usage.c.cached)
            .order_by(usage.c.owner)
        )
        found: dict[str, Account] = {}
        with reading(self._engine) as connection:
            for row in connection.execute(query).mappings():
                account = found.setdefault(row["owner"], Account(row["owner"]))
                account.jobs[row["state"]] = account.jobs.get(row["state"], 0) + int(row["count"])
                account.cached += int(row["count"]) if row["cached"] else 0
                account.audio_seconds += float(row["audio"])
                account.device_seconds += float(row["device"])
        return list(found.values())

    def periods(self, since: float, until: float, step: float, owner: str | None = None) -> dict[int, Account]:
        """What was used in each period of `step` seconds, by the period's number since the epoch.

        An owner's jobs count, or everybody's, that were accepted from `since` on and before `until`. A period without a
        job is left out.
        """
        which = [usage.c.accepted_at >= since, usage.c.accepted_at < until]
        if owner is not None:
            which.append(usage.c.owner == owner)
        number = usage.c.accepted_at / step  # SQLite's cast cuts, PostgreSQL's rounds
        period = sa.cast(number if self._engine.dialect.name == "sqlite" else sa.func.floor(number), sa.BigInteger)
        audio = sa.case((usage.c.state == "succeeded", usage.c.track_seconds), else_=0.0)
        columns = (sa.func.count(), sa.func.sum(audio), sa.func.sum(usage.c.device_seconds))
        query = sa.select(period, usage.c.state, *columns).where(*which).group_by(period, usage.c.state)
        found: dict[int, Account] = {}
        with reading(self._engine) as connection:
            for number, state, count, seconds, device in connection.execute(query).all():
                account = found.setdefault(int(number), Account(owner or ""))
                account.jobs[state] = int(count)
                account.audio_seconds += float(seconds)
                account.device_seconds += float(device)
        return found

    def forget(self, seconds: float) -> int:
        """Delete accounts of jobs that ended longer than `seconds` ago; returns how many."""
        with translated(), self._engine.begin() as connection:
            return connection.execute(usage.delete().where(usage.c.ended_at < db_now() - seconds)).rowcount
