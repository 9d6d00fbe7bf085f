"""The audit log: which admin did what. An entry commits with the act that it tells of, or not at all."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.tables import audit, db_now


class Via(enum.StrEnum):
    """The way in which an act came."""

    API = "api"  # the actor is a key's id; empty where no key is needed
    COMMAND = "command"  # the actor is a user of the machine, as `user@host`


class Act(enum.StrEnum):
    """What an admin can do that is recorded. The target is the id or name of what it was done to."""

    KEY_CREATE = "key.create"
    KEY_CHANGE = "key.change"
    KEY_RENAME = "key.rename"
    KEY_ROTATE = "key.rotate"
    KEY_REVOKE = "key.revoke"
    KEYS_DISABLE_AUTH = "keys.disable_auth"
    JOB_DELETE = "job.delete"
    WORKFLOW_DELETE = "workflow.delete"
    POOL_DRAIN = "pool.drain"
    POOL_RESUME = "pool.resume"
    BACKUP = "backup"
    RESTORE = "restore"


@dataclass(frozen=True)
class By:
    """Who acts, how, and in which request."""

    via: Via
    actor: str = ""
    request_id: str | None = None


@dataclass(frozen=True)
class Entry:
    """One act. `at` is in seconds since the epoch by the database's clock."""

    id: int
    at: float
    via: str
    actor: str
    act: str
    target: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None


def record(connection: sa.Connection, by: By | None, act: Act, target: str, **detail: Any) -> None:
    """Add an entry to the transaction of the act. Nothing is added where nobody is named: no admin did it."""
    if by is None:
        return
    connection.execute(
        audit.insert().values(
            at=db_now(),
            via=str(by.via),
            actor=by.actor[:200],
            act=str(act),
            target=target[:200],
            detail=detail,
            request_id=by.request_id,
        )
    )


class Audit:
    """The entries in SQL."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def record(self, by: By, act: Act, target: str, **detail: Any) -> None:
        """Add the entry of an act that writes nothing else to this store."""
        with translated(), self._engine.begin() as connection:
            record(connection, by, act, target, **detail)

    def entries(
        self,
        limit: int,
        *,
        before: int | None = None,
        since: float | None = None,
        until: float | None = None,
        acts: Sequence[str] = (),
        actor: str | None = None,
        target: str | None = None,
    ) -> list[Entry]:
        """The newest entries that match, newest first; with `before`, those of a lower id.

        `since` and `until` are in seconds since the epoch, the second is not included.
        """
        which = [
            *([audit.c.id < before] if before is not None else []),
            *([audit.c.at >= since] if since is not None else []),
            *([audit.c.at < until] if until is not None else []),
            *([audit.c.act.in_(list(acts))] if acts else []),
            *([audit.c.actor == actor] if actor is not None else []),
            *([audit.c.target == target] if target is not None else []),
        ]
        query = sa.select(audit).where(*which).order_by(audit.c.id.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [Entry(**row) for row in connection.execute(query).mappings()]

    def forget(self, seconds: float) -> int:
        """Delete entries that are older than `seconds`; returns how many."""
        with translated(), self._engine.begin() as connection:
            return connection.execute(audit.delete().where(audit.c.at < db_now() - seconds)).rowcount
