"""What clients used: jobs, minutes of audio, seconds of devices. Kept when jobs are deleted."""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa

from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.tables import db_now, usage

DAY = 86400.0


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

    def spend(self, job_id: str, device_seconds: float) -> None:
        """Add to the device seconds of a job, also for an attempt that fails."""
        more = usage.update().where(usage.c.job_id == job_id)
        with translated(), self._engine.begin() as connection:
            connection.execute(more.values(device_seconds=usage.c.device_seconds + device_seconds))

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

    def forget(self, seconds: float) -> int:
        """Delete accounts of jobs that ended longer than `seconds` ago; returns how many."""
        with translated(), self._engine.begin() as connection:
            return connection.execute(usage.delete().where(usage.c.ended_at < db_now() - seconds)).rowcount


def day(connection: sa.Connection, owner: str) -> tuple[float, float]:
    """Seconds of audio of the owner's jobs of the last day, and seconds until the oldest of them is a day old.

    Jobs that failed, were canceled or came from the cache do not count.
    """
    counted = sa.and_(
        usage.c.owner == owner,
        usage.c.accepted_at > db_now() - DAY,
        usage.c.cached.is_(False),
        usage.c.state.in_(("queued", "succeeded")),
        usage.c.track_seconds > 0,
    )
    columns = (sa.func.coalesce(sa.func.sum(usage.c.track_seconds), 0.0), sa.func.min(usage.c.accepted_at), db_now())
    total, oldest, now = connection.execute(sa.select(*columns).where(counted)).one()
    return float(total), (float(oldest) + DAY - float(now)) if oldest is not None else 0.0
