"""Webhook deliveries and the secrets that sign them, in SQL. A delivery's row is made in its job's own transaction."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from stemsvc.accounts.cipher import Cipher, is_encrypted
from stemsvc.accounts.webhooks import GIVE_UP_SECONDS, Delivery, new_secret, pause
from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.locks import Lock, hold
from stemsvc.jobstore.tables import db_now, webhook_deliveries, webhook_secrets

LEASE_SECONDS = 60.0  # longer than a try may take: of a process that was killed in a try another one takes it over


@dataclass(frozen=True)
class Bounds:
    """The most tries that may be at work at once to one host, and for one owner. An empty owner has no bound."""

    host: int = 2
    owner: int = 4


class Webhooks:
    """Deliveries by their ids. Any number of processes may use it at once. `cipher` encrypts the stored secrets."""

    def __init__(self, engine: sa.Engine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher

    def take(self, limit: int, bounds: Bounds = Bounds()) -> list[Delivery]:
        """Begin tries of up to `limit` due deliveries, those that are due longest first, within `bounds`.

        Each is leased to the caller: nobody else tries it until the caller reports its outcome, or is silent for a
        minute. A delivery is due when the pause after its last try is over.
        """
        with reading(self._engine) as connection:  # mostly none is due, and a reader blocks nobody
            if connection.execute(sa.select(webhook_deliveries.c.id).where(_due()).limit(1)).first() is None:
                return []
        with translated(), self._engine.begin() as connection:
            hold(connection, Lock.WEBHOOK_TRIES)
            found = _within(connection, limit, bounds)
            for each in found:
                mine = webhook_deliveries.update().where(webhook_deliveries.c.id == each.id)
                values = {
                    "attempt": each.attempt,
                    "lease": each.lease,
                    "lease_expires_at": db_now() + LEASE_SECONDS,
                    "next_at": db_now() + pause(each.attempt),  # also where its process dies and says nothing
                }
                connection.execute(mine.values(values))
            return found

    def delivered(self, delivery: Delivery, detail: str) -> bool:
        """Record that the client took the delivery; False where this try's lease is over."""
        return self._end(delivery, {"state": "delivered", "ended_at": db_now(), "next_at": None, "detail": detail})

    def failed(self, delivery: Delivery, detail: str, wait: float, *, final: bool = False) -> bool:
        """Record a failed try; False where its lease is over.

        The next try comes after `wait` seconds, unless that is more than a day after the first or this one is `final`.
        """
        late = webhook_deliveries.c.first_at + GIVE_UP_SECONDS < db_now() + wait
        dead = sa.true() if final else late
        return self._end(
            delivery,
            {
                "state": sa.case((dead, "dead"), else_="pending"),
                "next_at": sa.case((dead, None), else_=db_now() + wait),
                "ended_at": sa.case((dead, db_now()), else_=None),
                "detail": detail,
            },
        )

    def give_back(self, delivery: Delivery) -> bool:
        """Undo `take` for a delivery that was not tried; False where its lease is over."""
        return self._end(delivery, {"attempt": delivery.attempt - 1, "next_at": db_now()})

    def _end(self, delivery: Delivery, values: dict[str, Any]) -> bool:
        mine = sa.and_(
            webhook_deliveries.c.id == delivery.id,
            webhook_deliveries.c.lease == delivery.lease,
            webhook_deliveries.c.state == "pending",
        )
        over = {"lease": None, "lease_expires_at": None}
        with translated(), self._engine.begin() as connection:
            return connection.execute(webhook_deliveries.update().where(mine).values({**values, **over})).rowcount == 1

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

    def begins(self, prefix: str, limit: int) -> list[str]:
        """Up to `limit` ids of deliveries that begin with `prefix`."""
        column = webhook_deliveries.c.id
        with reading(self._engine) as connection:
            query = sa.select(column).where(column.startswith(prefix, autoescape=True)).limit(limit)
            return list(connection.execute(query).scalars())

    # --- secrets ------------------------------------------------------------------------------------------------

    def secrets(self, owner: str) -> list[str]:
        """The secrets that sign an owner's webhooks, the newest first; one is made where there is none.

        Raises `FatalError` `secret_unreadable`.
        """
        with translated(), self._engine.begin() as connection:
            found = _secrets(connection, owner)
            if not found:  # of several processes that find none, the first one makes it
                hold(connection, Lock.WEBHOOK_SECRETS)
                found = _secrets(connection, owner) or [self._add_secret(connection, owner)]
        return [self._cipher.decrypt(each) for each in found]

    def rotate(self, owner: str, keep_seconds: float) -> str:
        """Make a new secret and return it. The earlier ones sign beside it for `keep_seconds`."""
        ending = sa.and_(webhook_secrets.c.owner == owner, webhook_secrets.c.expires_at.is_(None))
        with translated(), self._engine.begin() as connection:
            # of two at once, the second must see the first one's secret: only one secret never expires
            hold(connection, Lock.WEBHOOK_SECRETS)
            self._rewrite(connection, ending, expires_at=db_now() + keep_seconds)
            return self._cipher.decrypt(self._add_secret(connection, owner))

    @property
    def has_key(self) -> bool:
        """Whether secrets are stored encrypted."""
        return self._cipher.has_key

    def rewrite_secrets(self, *, clear: bool = False) -> int:
        """Encrypt every secret with the newest key, or store it `clear`; returns how many secrets there are.

        Raises `FatalError` `secret_unreadable`, and then changes none.
        """
        with translated(), self._engine.begin() as connection:
            hold(connection, Lock.WEBHOOK_SECRETS)
            return self._rewrite(connection, sa.true(), clear=clear)

    def count_secrets(self) -> tuple[int, int]:
        """How many secrets there are, and how many of them are in clear. Raises `FatalError` `secret_unreadable`."""
        with reading(self._engine) as connection:
            stored = connection.execute(sa.select(webhook_secrets.c.secret)).scalars().all()
        for each in stored:
            self._cipher.decrypt(each)
        return len(stored), sum(not is_encrypted(each) for each in stored)

    def _rewrite(
        self, connection: sa.Connection, which: sa.ColumnElement[bool], *, clear: bool = False, **values: Any
    ) -> int:
        """Store these secrets anew, also those that an earlier release or key wrote; returns how many."""
        query = sa.select(webhook_secrets.c.id, webhook_secrets.c.secret).where(which)
        found = connection.execute(query).all()
        for row_id, stored in found:
            secret = self._cipher.decrypt(stored)
            changed = {**values, "secret": secret if clear else self._cipher.encrypt(secret)}
            connection.execute(webhook_secrets.update().where(webhook_secrets.c.id == row_id).values(changed))
        return len(found)

    def _add_secret(self, connection: sa.Connection, owner: str) -> str:
        """Store a new secret; returns it as it is stored."""
        stored = self._cipher.encrypt(new_secret())
        values = {"owner": owner, "secret": stored, "created_at": db_now(), "expires_at": None}
        connection.execute(webhook_secrets.insert().values(values))
        return stored


def _secrets(connection: sa.Connection, owner: str) -> list[str]:
    valid = sa.or_(webhook_secrets.c.expires_at.is_(None), webhook_secrets.c.expires_at > db_now())
    query = sa.select(webhook_secrets.c.secret).where(webhook_secrets.c.owner == owner, valid)
    return list(connection.execute(query.order_by(webhook_secrets.c.id.desc())).scalars().all())


def _leased() -> sa.ColumnElement[bool]:
    return sa.and_(webhook_deliveries.c.lease.is_not(None), webhook_deliveries.c.lease_expires_at > db_now())


def _due() -> sa.ColumnElement[bool]:
    return sa.and_(
        webhook_deliveries.c.state == "pending", webhook_deliveries.c.next_at <= db_now(), sa.not_(_leased())
    )


def _within(connection: sa.Connection, limit: int, bounds: Bounds) -> list[Delivery]:
    """The due deliveries to try now, with their leases. A crowd for one host or of one owner hides nobody else's."""
    at_work = connection.execute(sa.select(webhook_deliveries).where(_leased())).mappings()
    hosts: Counter[str] = Counter()
    owners: Counter[str] = Counter()
    for each in map(_delivery, at_work):
        hosts[each.receiver] += 1
        owners[each.owner] += 1
    full = [host for host, count in hosts.items() if count >= bounds.host]
    busy = [owner for owner, count in owners.items() if owner and count >= bounds.owner]
    host = sa.func.coalesce(webhook_deliveries.c.host, webhook_deliveries.c.url)
    order = (webhook_deliveries.c.next_at, webhook_deliveries.c.id)
    by_host = sa.func.row_number().over(partition_by=host, order_by=order).label("by_host")
    which = sa.and_(_due(), host.not_in(full), webhook_deliveries.c.owner.not_in(busy))
    first = sa.select(webhook_deliveries, by_host).where(which).subquery()
    by_owner = sa.func.row_number().over(partition_by=first.c.owner, order_by=(first.c.next_at, first.c.id))
    second = sa.select(first, by_owner.label("by_owner")).where(first.c.by_host <= bounds.host).subquery()
    most = sa.or_(second.c.owner == "", second.c.by_owner <= bounds.owner)
    query = sa.select(*(second.c[column.name] for column in webhook_deliveries.c)).where(most)
    found: list[Delivery] = []
    for each in map(_delivery, connection.execute(query.order_by(second.c.next_at, second.c.id)).mappings()):
        if len(found) == limit:
            break
        if hosts[each.receiver] >= bounds.host or (each.owner and owners[each.owner] >= bounds.owner):
            continue
        hosts[each.receiver] += 1
        owners[each.owner] += 1
        found.append(replace(each, attempt=each.attempt + 1, lease=secrets.token_hex(8)))
    return found


def _find(connection: sa.Connection, delivery_id: str) -> Delivery | None:
    query = sa.select(webhook_deliveries).where(webhook_deliveries.c.id == delivery_id)
    row = connection.execute(query).mappings().first()
    return _delivery(row) if row else None


def _delivery(row: Mapping[Any, Any]) -> Delivery:
    return Delivery(**dict(row))
