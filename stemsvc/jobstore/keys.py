"""The clients' API keys in SQL."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from stemsvc.accounts.keys import Installed, Key, Scope
from stemsvc.jobs.record import Priority
from stemsvc.jobstore import audit
from stemsvc.jobstore.audit import Act, By
from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.locks import Lock, hold
from stemsvc.jobstore.tables import api_keys, db_now

KEPT_SECONDS = 2.0  # for so long `retentions` answers from memory


class Keys:
    """API keys by their ids. A revoked key keeps its row, so that its jobs keep their owner.

    `by` is the admin who acts: the audit log gets an entry in the same transaction.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._retentions: tuple[float, dict[str, float]] = (0.0, {})

    def add(self, key: Key, by: By | None = None) -> None:
        """Store a new key, created at the database's time."""
        with translated(), self._engine.begin() as connection:
            connection.execute(api_keys.insert().values(_values(key)))
            audit.record(connection, by, Act.KEY_CREATE, key.id, name=key.name, scopes=sorted(key.scopes))
        self._retentions = (0.0, {})

    def retentions(self) -> dict[str, float]:
        """Seconds from their end that files of jobs are kept, of the keys that say it; at most `KEPT_SECONDS` old."""
        until, found = self._retentions
        if time.monotonic() >= until:
            query = sa.select(api_keys.c.id, api_keys.c.retention_seconds)
            with reading(self._engine) as connection:
                rows = connection.execute(query.where(api_keys.c.retention_seconds.is_not(None))).all()
            found = {key_id: float(seconds) for key_id, seconds in rows}
            self._retentions = (time.monotonic() + KEPT_SECONDS, found)
        return found

    def install(self, key: Key, keep_seconds: float) -> Installed:
        """Store a key that a setting gives, or its new secret; the one before works for `keep_seconds` beside it.

        Processes whose settings differ for a while don't take it from each other: while the old secret works, it stays
        the old one. A revoked secret stays revoked, also after another one took its place.
        """
        with translated(), self._engine.begin() as connection:
            hold(connection, Lock.BOOTSTRAP)
            mine = api_keys.c.id == key.id
            row = connection.execute(sa.select(api_keys).where(mine)).mappings().first()
            if row is None:
                connection.execute(api_keys.insert().values(_values(key)))
                return Installed.MADE
            now = connection.execute(sa.select(db_now())).scalar_one()
            outcome, values = _installed(_key(row), key, now, keep_seconds)
            if values:
                connection.execute(api_keys.update().where(mine).values(values))
            return outcome

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

    def waive(self, by: By | None = None) -> int:
        """Let requests come without a key again, until the next key is made; returns how many keys there are.

        The keys work on for who sends them.
        """
        with translated(), self._engine.begin() as connection:
            count = connection.execute(api_keys.update().values(waived=True)).rowcount
            audit.record(connection, by, Act.KEYS_DISABLE_AUTH, "", keys=count)
            return count

    def allow(self, key_id: str, max_priority: Priority, by: By | None = None) -> bool:
        """Set the highest priority of a key's jobs; False where no valid key has that id."""
        told = {"max_priority": max_priority.word}
        return self._change(key_id, {"max_priority": int(max_priority)}, by, Act.KEY_CHANGE, told)

    def retain(self, key_id: str, seconds: float | None, by: By | None = None) -> bool:
        """Set how long files of a key's jobs are kept, None: as the settings say; False where no valid key has that id.

        It counts for jobs that have ended too.
        """
        told = {"retention_seconds": seconds}
        changed = self._change(key_id, told, by, Act.KEY_CHANGE, told)
        self._retentions = (0.0, {})
        return changed

    def rename(self, key_id: str, name: str, by: By | None = None) -> bool:
        """Give a key another name; False where no valid key has that id."""
        return self._change(key_id, {"name": name}, by, Act.KEY_RENAME, {"name": name})

    def expire(self, key_id: str, at: float | None, by: By | None = None) -> bool:
        """Set when a key expires, None: never; False where no valid key has that id."""
        return self._change(key_id, {"expires_at": at}, by, Act.KEY_CHANGE, {"expires_at": at})

    def renew(self, key: Key, by: By | None = None) -> bool:
        """Store the hashes of a key that `renewed` made; False where no valid key has that id."""
        values = {"hash": key.hash, "old_hash": key.old_hash, "old_until": key.old_until}
        return self._change(key.id, values, by, Act.KEY_ROTATE, {"old_until": key.old_until})

    def revoke(self, key_id: str, by: By | None = None) -> bool:
        """Revoke a key; False where no valid key has that id."""
        return self._change(key_id, {"revoked_at": db_now()}, by, Act.KEY_REVOKE, {})

    def _change(self, key_id: str, values: dict[str, Any], by: By | None, act: Act, told: dict[str, Any]) -> bool:
        which = sa.and_(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        with translated(), self._engine.begin() as connection:
            changed = connection.execute(api_keys.update().where(which).values(values)).rowcount == 1
            if changed:
                audit.record(connection, by, act, key_id, **told)
            return changed


def _values(key: Key) -> dict[str, Any]:
    return {
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
        "retention_seconds": key.retention_seconds,
    }


def _installed(there: Key, given: Key, now: float, keep_seconds: float) -> tuple[Installed, dict[str, Any]]:
    """What becomes of the key that is there, and the columns that change. An `old_until` of 0: the old was revoked."""
    if there.hash == given.hash:
        if there.revoked_at is not None:
            return Installed.REVOKED, {}
        return Installed.KEPT, {"scopes": sorted(given.scopes)} if there.scopes != given.scopes else {}
    if there.old_hash == given.hash and there.old_until == 0:
        return Installed.REVOKED, {}
    if there.old_hash == given.hash and there.revoked_at is None and now < (there.old_until or 0):
        return Installed.OLDER, {}
    renewed = {
        "hash": given.hash,
        "scopes": sorted(given.scopes),
        "old_hash": there.hash,
        "old_until": now + keep_seconds if there.revoked_at is None else 0,
        "revoked_at": None,
        "waived": False,
    }
    return Installed.RENEWED, renewed


def _key(row: Mapping[Any, Any]) -> Key:
    values = dict(row)
    values["scopes"] = frozenset(Scope(scope) for scope in values["scopes"])
    values["max_priority"] = Priority.HIGH if row["max_priority"] is None else Priority(row["max_priority"])
    return Key(**values)
