"""How much audio an owner may send in a day: checked when a job comes, and again when its true length is known.

A job that is under way or succeeded counts with its length. One that failed or was canceled counts with what the device
has computed of it. What came from the cache counts nothing.
"""

from __future__ import annotations

import sqlalchemy as sa

from stemsvc.errors import QuotaExceeded, TrackExceedsQuota
from stemsvc.jobstore.bounds import OwnLimits
from stemsvc.jobstore.tables import db_now, usage

DAY = 86400.0
HEADER_SECONDS = 1.0  # by which a true length may exceed the one that was counted, without another check
_COUNTED = sa.case((usage.c.state.in_(("failed", "canceled")), usage.c.used_seconds), else_=usage.c.track_seconds)


def check_quota(
    connection: sa.Connection, owner: str, seconds: float, most: float | None, more: float = 0.0, besides: str = ""
) -> None:
    """Raise where the owner may not send `seconds` of audio today: it may send `most`, None is any number.

    `more` was sent too, and the job with the id `besides` does not count. Raises `UsageError` `track_exceeds_quota`
    where waiting does not help, else `TransientError` `quota_exceeded`.
    """
    if most is None:
        return
    if seconds > most or most <= 0:
        detail = f"the track plays for {seconds / 60:.1f} minutes; the key may send {most / 60:.1f} in a day"
        raise TrackExceedsQuota(detail)
    sent = _sent(connection, owner, besides) + more
    if sent + seconds > most or sent >= most:
        detail = f"{sent / 60:.1f} of {most / 60:.1f} minutes of audio were sent within a day"
        if seconds:
            detail += f"; this track has {seconds / 60:.1f}"
        free_in = _free_in(connection, owner, sent + seconds - most, besides)
        raise QuotaExceeded(detail, retry_after=max(1.0, free_in))


def check_length(connection: sa.Connection, job_id: str, owner: str, seconds: float, own: OwnLimits) -> None:
    """Check a job's true length, which is known only now. Raises what `check_quota` raises.

    The caller has called `lock_owners`, and afterwards calls `count`.
    """
    if own.minutes_per_day is None:
        return
    counted = connection.execute(sa.select(usage.c.track_seconds).where(usage.c.job_id == job_id)).scalar_one_or_none()
    if not counted or seconds > counted + HEADER_SECONDS:
        check_quota(connection, owner, seconds, own.minutes_per_day * 60, besides=job_id)


def count(connection: sa.Connection, job_id: str, seconds: float) -> None:
    """Count a job with this length from now on."""
    connection.execute(usage.update().where(usage.c.job_id == job_id).values(track_seconds=seconds))


def _counting(owner: str, besides: str) -> sa.ColumnElement[bool]:
    recent = sa.and_(usage.c.owner == owner, usage.c.accepted_at > db_now() - DAY)
    return sa.and_(recent, usage.c.job_id != besides, usage.c.cached.is_(False), _COUNTED > 0)


def _sent(connection: sa.Connection, owner: str, besides: str) -> float:
    total = sa.select(sa.func.coalesce(sa.func.sum(_COUNTED), 0.0)).where(_counting(owner, besides))
    return float(connection.execute(total).scalar_one())


def _free_in(connection: sa.Connection, owner: str, seconds: float, besides: str) -> float:
    """Seconds until that much of the owner's audio is more than a day old."""
    oldest = sa.select(usage.c.accepted_at + DAY - db_now(), _COUNTED).where(_counting(owner, besides))
    freed = 0.0
    for free_in, counted in connection.execute(oldest.order_by(usage.c.accepted_at)).all():
        freed += float(counted)
        if freed >= seconds and freed > 0:
            return float(free_in)
    return DAY
