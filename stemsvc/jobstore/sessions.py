"""The sessions of pages in SQL: every api process knows them, and they outlive each."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from stemsvc.accounts.sessions import Session
from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.locks import Lock, hold
from stemsvc.jobstore.tables import db_now, sessions

MOST_PER_KEY = 100  # the oldest one ends when there is one more


class Sessions:
    """Sessions by the hashes of their tokens."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, session: Session, seconds: float) -> Session:
        """Store a new session that ends after `seconds`, and return it with its times."""
        mine = sessions.c.key_id == session.key_id
        kept = sa.select(sessions.c.hash).where(mine).order_by(sessions.c.created_at.desc()).limit(MOST_PER_KEY - 1)
        with translated(), self._engine.begin() as connection:
            hold(connection, Lock.SESSIONS, session.key_id)  # two at once would each leave room for itself alone
            now = float(connection.execute(sa.select(db_now())).scalar_one())
            made = replace(session, created_at=now, expires_at=now + seconds)
            connection.execute(sessions.delete().where(mine, sessions.c.hash.not_in(kept)))
            connection.execute(sessions.insert().values(vars(made)))
        return made

    def find(self, hash: str) -> Session | None:
        """The session of that hash, ended or not; None where there is none."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(sessions).where(sessions.c.hash == hash)).mappings().first()
            return Session(**row) if row else None

    def end(self, hash: str) -> None:
        """Delete a session, if there is one of that hash."""
        with translated(), self._engine.begin() as connection:
            connection.execute(sessions.delete().where(sessions.c.hash == hash))

    def forget(self) -> int:
        """Delete the sessions whose time is over; returns how many."""
        with translated(), self._engine.begin() as connection:
            return connection.execute(sessions.delete().where(sessions.c.expires_at < db_now())).rowcount
