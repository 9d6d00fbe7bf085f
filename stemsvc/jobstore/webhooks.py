"""Webhook deliveries and the secrets that sign them, in SQL. A delivery's row is made in its job's own transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from stemsvc.accounts.webhooks import GIVE_UP_SECONDS, Delivery, new_secret
from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.locks import Lock, hold
from stemsvc.jobstore.tables import db_now, webhook_deliveries, webhook_secrets

CLAIM_SECONDS = 60.0  # for so long a claimed delivery belongs to one process; longer than a try may take


class Webhooks:
    """Deliveries by their ids. Any number of processes may use it at once."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def claim(self, limit: int = 100) -> list[str]:
        """Ids of due deliveries, oldest first. They belong to the caller for a minute, and are due again after it."""
        due = sa.and_(webhook_deliveries.c.state == "pending", webhook_deliveries.c.next_at <= db_now())
        query = sa.select(webhook_deliveries.c.id).where(due).order_by(webhook_deliveries.c.next_at).limit(limit)
        with reading(self._engine) as connection:  # mostly none is due, and a reader blocks nobody
            if connection.execute(query.limit(1)).first() is None:
                return []
        if self._engine.dialect.name == "postgresql":
            query = query.with_for_update(skip_locked=True)
        with translated(), self._engine.begin() as connection:
            found = list(connection.execute(query).scalars().all())
            mine = webhook_deliveries.update().where(webhook_deliveries.c.id.in_(found))
            connection.execute(mine.values(next_at=db_now() + CLAIM_SECONDS))
            return found

    def take(self, delivery_id: str) -> Delivery | None:
        """Begin a try; None where the delivery has ended or does not exist.

        Each try has a number, and only the newest one's outcome counts.
        """
        which = sa.and_(webhook_deliveries.c.id == delivery_id, webhook_deliveries.c.state == "pending")
        with translated(), self._engine.begin() as connection:
            more = webhook_deliveries.update().where(which)
            values = {"attempt": webhook_deliveries.c.attempt + 1, "next_at": db_now() + CLAIM_SECONDS}
            if connection.execute(more.values(values)).rowcount != 1:
                return None
            return _find(connection, delivery_id)

    def delivered(self, delivery: Delivery, detail: str) -> bool:
        """Record that the client took the delivery; False where a newer try runs."""
        return self._end(delivery, {"state": "delivered", "ended_at": db_now(), "next_at": None, "detail": detail})

    def failed(self, delivery: Delivery, detail: str, pause: float, *, final: bool = False) -> bool:
        """Record a failed try; False where a newer try runs.

        The next try comes after `pause` seconds, unless that is more than a day after the first or this one is `final`.
        """
        late = webhook_deliveries.c.first_at + GIVE_UP_SECONDS < db_now() + pause
        dead = sa.true() if final else late
        return self._end(
            delivery,
            {
                "state": sa.case((dead, "dead"), else_="pending"),
                "next_at": sa.case((dead, None), else_=db_now() + pause),
                "ended_at": sa.case((dead, db_now()), else_=None),
                "detail": detail,
            },
        )

    def _end(self, delivery: Delivery, values: dict[str, Any]) -> bool:
        mine = sa.and_(
            webhook_deliveries.c.id == delivery.id,
            webhook_deliveries.c.attempt == delivery.attempt,
            webhook_deliveries.c.state == "pending",
        )
        with translated(), self._engine.begin() as connection:
            return connection.execute(webhook_deliveries.update().where(mine).values(values)).rowcount == 1

    def replay(self, delivery_id: str) -> bool:
        """Send a delivery again from the start, however it ended; False where there is none."""
        values = {"state": "pending", "next_at": db_now(), "first_at": db_now(), "ended_at": None, "detail": "replayed"}
        which = webhook_deliveries.c.id == delivery_id
        with translated(), self._engine.begin() as connection:
            return connection.execute(webhook_deliveries.update().where(which).values(values)).rowcount == 1

    def find(self, delivery_id: str) -> Delivery | None:
        """The delivery of that id; None where there is none."""
        with reading(self._engine) as connection:
            return _find(connection, delivery_id)

    def recent(self, limit: int = 50, state: str | None = None, job_id: str | None = None) -> list[Delivery]:
        """The newest deliveries, newest first."""
        query = sa.select(webhook_deliveries).order_by(webhook_deliveries.c.created_at.desc(), webhook_deliveries.c.id)
        if state is not None:
            query = query.where(webhook_deliveries.c.state == state)
        if job_id is not None:
            query = query.where(webhook_deliveries.c.job_id == job_id)
        with reading(self._engine) as connection:
            return [_delivery(row) for row in connection.execute(query.limit(limit)).mappings()]

    # --- secrets ------------------------------------------------------------------------------------------------

    def secrets(self, owner: str) -> list[str]:
        """The secrets that sign an owner's webhooks, the newest first; one is made where there is none."""
        with translated(), self._engine.begin() as connection:
            found = _secrets(connection, owner)
            if not found:  # of several processes that find none, the first one makes it
                hold(connection, Lock.WEBHOOK_SECRETS)
                found = _secrets(connection, owner) or [_add_secret(connection, owner)]
            return found

    def rotate(self, owner: str, keep_seconds: float) -> str:
        """Make a new secret and return it. The earlier ones sign beside it for `keep_seconds`."""
        ending = sa.and_(webhook_secrets.c.owner == owner, webhook_secrets.c.expires_at.is_(None))
        with translated(), self._engine.begin() as connection:
            # of two at once, the second must see the first one's secret: only one secret never expires
            hold(connection, Lock.WEBHOOK_SECRETS)
            connection.execute(webhook_secrets.update().where(ending).values(expires_at=db_now() + keep_seconds))
            return _add_secret(connection, owner)


def _secrets(connection: sa.Connection, owner: str) -> list[str]:
    valid = sa.or_(webhook_secrets.c.expires_at.is_(None), webhook_secrets.c.expires_at > db_now())
    query = sa.select(webhook_secrets.c.secret).where(webhook_secrets.c.owner == owner, valid)
    return list(connection.execute(query.order_by(webhook_secrets.c.id.desc())).scalars().all())


def _add_secret(connection: sa.Connection, owner: str) -> str:
    secret = new_secret()
    values = {"owner": owner, "secret": secret, "created_at": db_now(), "expires_at": None}
    connection.execute(webhook_secrets.insert().values(values))
    return secret


def _find(connection: sa.Connection, delivery_id: str) -> Delivery | None:
    query = sa.select(webhook_deliveries).where(webhook_deliveries.c.id == delivery_id)
    row = connection.execute(query).mappings().first()
    return _delivery(row) if row else None


def _delivery(row: Mapping[Any, Any]) -> Delivery:
    return Delivery(**dict(row))
