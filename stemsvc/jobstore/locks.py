"""Locks for writes that depend on a look at several rows, or on a row that is not there.

A conditional write is enough where one row decides. It is not enough for a count, nor for "there is none yet": on
PostgreSQL two transactions at once don't see each other's new rows. Such transactions hold a lock of this module from
their look to their commit. They take it before they lock any row, so no two of them wait for each other. SQLite has one
writer at a time: a transaction that writes begins with BEGIN IMMEDIATE (see `engine`), before its look.
"""

from __future__ import annotations

import enum

import sqlalchemy as sa


@enum.unique
class Lock(enum.IntEnum):
    """Keys of PostgreSQL's advisory locks. They are arbitrary, but the same in every process and release."""

    MIGRATION = 7350231
    QUEUES = 7350232  # new places in queues: bounds, quotas, idempotency keys, the owners' turns
    WEBHOOK_SECRETS = 7350233
    OWNERS = 7350234  # one lock for each owner: what it sent and stored
    WEBHOOK_TRIES = 7350236  # how many tries are at work to a host, and for an owner
    WORKFLOWS = 7350237  # one lock for each workflow: the ends of its jobs
    MESSAGES = 7350235  # how many messages run ahead of the workers
    BOOTSTRAP = 7350238  # the key that a setting gives
    SESSIONS = 7350239  # one lock for each key: how many sessions it has


def hold(connection: sa.Connection, lock: Lock, of: str | None = None) -> None:
    """Wait for the lock, and hold it until the transaction ends. With `of`, hold that owner's own lock."""
    if connection.dialect.name != "postgresql":
        return
    keys = (int(lock),) if of is None else (int(lock), sa.func.hashtext(of))
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(*keys)))
