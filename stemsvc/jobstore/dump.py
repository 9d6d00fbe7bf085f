"""The rows of a job store as lines of JSON: one snapshot of all tables, which loads into either database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import sqlalchemy as sa

from stemsvc.jobstore.engine import connect, reading, rebuild, stored_revision
from stemsvc.jobstore.plain_text import plain_json

ALEMBIC = "alembic_version"
LIVE = ("workers", "processes")  # who is alive says so again
ROWS = 500  # at a time


def dump(url: str, table: Callable[[str, Iterator[str]], None]) -> str | None:
    """Call `table` with each table's name and its rows, a line of JSON each; returns the revision of the tables.

    All rows are of one moment, whoever writes meanwhile. Returns None where there are no tables. Raises the store's
    errors.
    """
    engine = connect(url)
    try:
        with reading(engine) as connection:
            revision = stored_revision(connection)
            if revision is not None:
                for each in _tables(connection):
                    table(each.name, _lines(connection, each))
            return revision
    finally:
        engine.dispose()


def load(url: str, revision: str, lines_of: Callable[[str], Iterable[str]]) -> dict[str, int]:
    """Replace all rows by those of a dump whose tables had `revision`; returns the rows loaded by table.

    The tables are then brought up to date. It happens whole or not at all. `lines_of` has the lines of a table, by its
    name. Raises `UsageError` `no_revision` for a dump of a later release, and the store's errors.
    """
    return rebuild(url, revision, lambda connection: _fill(connection, lines_of))


def is_empty(url: str) -> bool:
    """Whether no table has a row that a dump would have."""
    engine = connect(url)
    try:
        with reading(engine) as connection:
            rows = (
                connection.execute(sa.select(sa.literal(1)).select_from(each).limit(1)) for each in _tables(connection)
            )
            return not any(found.first() for found in rows)
    finally:
        engine.dispose()


def _tables(connection: sa.Connection) -> list[sa.Table]:
    """The tables as they are in the database, those first that others refer to."""
    found = sa.MetaData()
    found.reflect(connection)
    for table in found.tables.values():
        for column in table.columns:
            if isinstance(column.type, sa.JSON):  # a column without JSON stays so: it does not become JSON's null
                column.type = sa.JSON(none_as_null=True)
    return [table for table in found.sorted_tables if table.name not in (ALEMBIC, *LIVE)]


def _lines(connection: sa.Connection, table: sa.Table) -> Iterator[str]:
    query = sa.select(table).order_by(*table.primary_key.columns)
    for row in connection.execution_options(yield_per=ROWS).execute(query).mappings():
        yield plain_json(dict(row))


def _fill(connection: sa.Connection, lines_of: Callable[[str], Iterable[str]]) -> dict[str, int]:
    tables = _tables(connection)
    for table in reversed(tables):
        connection.execute(table.delete())
    counts: dict[str, int] = {}
    for table in tables:
        rows = (json.loads(line) for line in lines_of(table.name))
        counts[table.name] = 0
        while batch := list(islice(rows, ROWS)):
            connection.execute(table.insert(), batch)
            counts[table.name] += len(batch)
        _count_on(connection, table)
    return counts


def _count_on(connection: sa.Connection, table: sa.Table) -> None:
    """Have new rows get numbers after the loaded ones: PostgreSQL's sequences don't notice rows that bring theirs."""
    numbered: Any = table.autoincrement_column
    if connection.dialect.name != "postgresql" or numbered is None:
        return
    sequence = sa.func.pg_get_serial_sequence(table.name, numbered.name)
    highest = connection.execute(sa.select(sa.func.max(numbered))).scalar()
    if highest is not None and connection.execute(sa.select(sequence)).scalar() is not None:
        connection.execute(sa.select(sa.func.setval(sequence, highest)))
