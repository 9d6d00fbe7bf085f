"""What the messages of each key have cost, by month, in SQL. Budgets are counted by it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.fair_queue import upsert
from stemsvc.jobstore.tables import chat_spending, db_now


@dataclass(frozen=True)
class Spent:
    """What an owner has spent in a month: US dollars as far as prices are known, and tokens."""

    dollars: float = 0.0
    tokens_read: int = 0
    tokens_written: int = 0


class ChatSpending:
    """Spending by owner and month."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def this_month(self, owner: str) -> Spent:
        """What the owner has spent in this month (UTC)."""
        table = chat_spending
        with reading(self._engine) as connection:
            columns = (table.c.dollars, table.c.tokens_read, table.c.tokens_written)
            month = _month(connection)
            row = connection.execute(sa.select(*columns).where(table.c.owner == owner, table.c.month == month)).first()
        return Spent(*row) if row else Spent()

    def add(self, owner: str, more: Spent) -> None:
        """Count what a message has cost."""
        table = chat_spending
        with translated(), self._engine.begin() as connection:
            insert = upsert(connection, table).values(owner=owner, month=_month(connection), **vars(more))
            sums = {name: table.c[name] + value for name, value in vars(more).items()}
            connection.execute(insert.on_conflict_do_update(index_elements=["owner", "month"], set_=sums))

    def forget(self, seconds: float) -> int:
        """Erase what was spent in months that ended longer than `seconds` ago; returns how many rows."""
        with translated(), self._engine.begin() as connection:
            now = float(connection.execute(sa.select(db_now())).scalar_one())
            kept = _name(now - seconds)
            return connection.execute(chat_spending.delete().where(chat_spending.c.month < kept)).rowcount


def _month(connection: sa.Connection) -> str:
    return _name(float(connection.execute(sa.select(db_now())).scalar_one()))


def _name(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m}"
