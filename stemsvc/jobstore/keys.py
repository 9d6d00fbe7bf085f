"""The clients' API keys in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from stemsvc.accounts.keys import Key, Scope
from stemsvc.jobs.record import Priority
from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.tables import api_keys, db_now


class Keys:
    """API keys by their ids. A revoked key keeps its row, so that its jobs keep their owner."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, key: Key) -> None:
        """Store a new key, created at the database's time."""
        values = {
            "id": key.id,
            "name": key.name,
            "hash": key.hash,
            "scopes": sorted(key.scopes),
            "created_at": db_now(),
            "max_waiting": key.max_waiting,
            "minutes_per_day": key.minutes_per_day,
            "max_stored_bytes": key.max_stored_bytes,
            "max_priority": int(key.max_priority),
            "expires_at": key.expires_at,
        }
        with translated(), self._engine.begin() as connection:
            connection.execute(api_keys.insert().values(values))

    def find(self, key_id: str) -> Key | None:
        """The key of that id, revoked or not; None where there is none."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(api_keys).where(api_keys.c.id == key_id)).mappings().first()
            return _key(row) if row else None

    def all(self) -> list[Key]:
        """Every key, oldest first."""
        query = sa.select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
        with reading(self._engine) as connection:
            return [_key(row) for row in connection.execute(query).mappings()]

    def any(self) -> bool:
        """Whether every request needs a key: a key was made, and nobody has called `waive` since."""
        with reading(self._engine) as connection:
            query = sa.select(api_keys.c.id).where(api_keys.c.waived.is_(False)).limit(1)
            return connection.execute(query).first() is not None

    def waive(self) -> int:
        """Let requests come without a key again, until the next key is made; returns how many keys there are.

        The keys work on for who sends them.
        """
        with translated(), self._engine.begin() as connection:
            return connection.execute(api_keys.update().values(waived=True)).rowcount

    def allow(self, key_id: str, max_priority: Priority) -> bool:
        """Set the highest priority of a key's jobs; False where no valid key has that id."""
        return self._change(key_id, {"max_priority": int(max_priority)})

    def rename(self, key_id: str, name: str) -> bool:
        """Give a key another name; False where no valid key has that id."""
        return self._change(key_id, {"name": name})

    def expire(self, key_id: str, at: float | None) -> bool:
        """Set when a key expires, None: never; False where no valid key has that id."""
        return self._change(key_id, {"expires_at": at})

    def renew(self, key: Key) -> bool:
        """Store the hashes of a key that `renewed` made; False where no valid key has that id."""
        return self._change(key.id, {"hash": key.hash, "old_hash": key.old_hash, "old_until": key.old_until})

    def revoke(self, key_id: str) -> bool:
        """Revoke a key; False where no valid key has that id."""
        return self._change(key_id, {"revoked_at": db_now()})

    def _change(self, key_id: str, values: dict[str, Any]) -> bool:
        which = sa.and_(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        with translated(), self._engine.begin() as connection:
            return connection.execute(api_keys.update().where(which).values(values)).rowcount == 1


def _key(row: Mapping[Any, Any]) -> Key:
    values = dict(row)
    values["scopes"] = frozenset(Scope(scope) for scope in values["scopes"])
    values["max_priority"] = Priority.HIGH if row["max_priority"] is None else Priority(row["max_priority"])
    return Key(**values)
