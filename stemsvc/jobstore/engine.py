"""The connection to the job store: SQLite on one machine, PostgreSQL for many."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from stemsvc.errors import (
    NoRevision,
    StoreError,
    StoreUnavailable,
)
from stemsvc.jobstore.locks import Lock, hold
from stemsvc.jobstore.plain_text import plain_json

if TYPE_CHECKING:  # who finds the tables up to date needs no alembic, which takes long to load
    from alembic.config import Config

T = TypeVar("T")
READING = "stemsvc_reading"
# The timeouts notice a server that vanished without closing the connection. They also take the locks from a process of
# ours that froze in a transaction: PostgreSQL ends the transaction, and the job's lease runs out.
_POSTGRESQL = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20000,
    "options": "-c idle_in_transaction_session_timeout=15s -c lock_timeout=15s",
}
LOCK_SECONDS = 15.0  # for so long a process waits for another one's writing
LOOK_SECONDS = 0.05
MIGRATION_MINUTES = 10  # for so long a process waits for another one's migration
MIGRATIONS = Path(__file__).parent.parent / "migrations"
_REVISION = sa.table("alembic_version", sa.column("version_num", sa.String))  # alembic's own


def connect(url: str, now: Callable[[], str] | None = None) -> sa.Engine:
    """An engine for `url` (`sqlite:///path` or `postgresql://...`); it opens no connection before its first use.

    `now` says what the URL is when a connection is opened: that has its user and password, wherever `url` leads.
    """
    url = _with_driver(url)
    if url.startswith("sqlite"):
        engine = sa.create_engine(url, json_serializer=plain_json)
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin)
        return engine
    engine = sa.create_engine(url, json_serializer=plain_json, pool_pre_ping=True, connect_args=_POSTGRESQL)
    if now is not None:
        sa.event.listen(engine, "do_connect", _credentials_of(now))
    return engine


def _with_driver(url: str) -> str:
    if url.startswith("postgresql://"):
        return url.replace("postgresql://", "postgresql+psycopg://", 1)
    return url


def _credentials_of(now: Callable[[], str]) -> Callable[[Any, Any, Any, dict[str, Any]], None]:
    def take(dialect: Any, record: Any, arguments: Any, parameters: dict[str, Any]) -> None:
        _, fresh = dialect.create_connect_args(sa.make_url(_with_driver(now())))
        for name in ("user", "password"):
            parameters.pop(name, None)
            if name in fresh:
                parameters[name] = fresh[name]

    return take


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # pysqlite must not open transactions on its own
    # cache_size is in KiB where negative: the default of 2 MB is less than the indexes of some thousand jobs
    for pragma in (
        f"busy_timeout={LOCK_SECONDS * 1000:.0f}",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-16000",
    ):
        connection.execute(f"PRAGMA {pragma}")
    _write_ahead(connection)


def _write_ahead(connection: Any) -> None:
    """Have the database keep a write-ahead log. SQLite does not wait by itself where another process writes to a new
    one meanwhile: processes that start together would fail."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
        time.sleep(LOOK_SECONDS)


def _begin(connection: sa.Connection) -> None:
    # A reader takes a snapshot and blocks nobody. A deferred transaction that begins to write fails at once where
    # another one writes; an immediate one waits until it may write.
    reading = connection.get_execution_options().get(READING)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A read-only connection whose queries all see the same moment."""
    options: dict[str, Any] = {READING: True}
    if engine.dialect.name == "postgresql":
        options["isolation_level"] = "REPEATABLE READ"
    with translated(), engine.connect().execution_options(**options) as connection:
        yield connection


@contextmanager
def translated() -> Iterator[None]:
    """Turn SQLAlchemy's exceptions into ours."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
        raise StoreUnavailable(f"the job store does not answer: {_first_line(error)}") from error
    except sa.exc.SQLAlchemyError as error:
        raise StoreError(f"the job store refused: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def migrate(url: str, revision: str = "head") -> str:
    """Migrate the schema of `url` to `revision` and return the revision it has then.

    It may be called again, and by several processes at once. A schema that a newer stemsvc has migrated stays as it is:
    this release does not need what the newer one added. Raises `UsageError` `no_revision`.
    """
    engine = connect(url)
    try:
        if revision == "head" and _revision(engine) == newest_revision():
            return newest_revision()
        config = _config()
        with translated(), engine.begin() as connection:
            _wait_for_others(connection)
            config.attributes["connection"] = connection
            return _move(config, connection, revision)
    finally:
        engine.dispose()


def rebuild(url: str, revision: str, fill: Callable[[sa.Connection], T]) -> T:
    """Bring the tables to `revision`, have `fill` replace their rows, and bring them up to date: all or nothing.

    Returns what `fill` does. Raises `UsageError` `no_revision`.
    """
    engine = connect(url)
    try:
        config = _config()
        with translated(), engine.begin() as connection:
            _wait_for_others(connection)
            config.attributes["connection"] = connection
            _move(config, connection, revision)
            filled = fill(connection)
            _move(config, connection, "head")
            return filled
    finally:
        engine.dispose()


def fold(url: str) -> None:
    """Put SQLite's write-ahead log into its file. The log goes with the last connection that is closed.

    A process that was killed has closed none. Another database is left alone, and one that nobody has made.
    """
    path = sa.make_url(url).database if url.startswith("sqlite") else None
    if path is None or not Path(path).is_file():
        return
    with contextlib.suppress(sqlite3.Error):  # somebody else uses it, and closes it later
        connection = sqlite3.connect(path, timeout=5)
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _wait_for_others(connection: sa.Connection) -> None:
    """One process migrates at a time. The others wait for it, even if it takes longer than other locks may."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{MIGRATION_MINUTES}min'"))
        hold(connection, Lock.MIGRATION)
        connection.execute(sa.text("SET LOCAL lock_timeout TO DEFAULT"))  # a table must not keep its users waiting


def newest_revision() -> str:
    """The newest revision of the tables that this release knows."""
    return _known_revisions()[-1]


@functools.cache
def _known_revisions() -> list[str]:
    """All revisions in their order. The files' names begin with them."""
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def missing_revisions(engine: sa.Engine) -> int:
    """How many migrations that this release knows the tables lack; 0 for tables that a newer stemsvc has migrated."""
    known, now = _known_revisions(), _revision(engine)
    if now is None:
        return len(known)
    return len(known) - known.index(now) - 1 if now in known else 0


def revisions(url: str) -> tuple[str | None, str]:
    """The revision of the schema in `url` (None: it has no schema), and the newest that this release knows."""
    engine = connect(url)
    try:
        return _revision(engine), newest_revision()
    finally:
        engine.dispose()


def _revision(engine: sa.Engine) -> str | None:
    with reading(engine) as connection:
        return stored_revision(connection)


def stored_revision(connection: sa.Connection) -> str | None:
    """The revision of the tables that a connection sees; None where there are none."""
    if not sa.inspect(connection).has_table(_REVISION.name):
        return None
    return connection.execute(sa.select(_REVISION.c.version_num)).scalar()


def _move(config: Config, connection: sa.Connection, revision: str) -> str:
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(config)
    known = [each.revision for each in scripts.walk_revisions()][::-1]
    now = MigrationContext.configure(connection).get_current_revision()
    if now is not None and now not in known:
        return now
    wanted = known[-1] if revision == "head" else revision
    if wanted not in known:
        raise NoRevision(f"{revision} is not one of {', '.join(known)}")
    older = now is not None and known.index(wanted) < known.index(now)
    (command.downgrade if older else command.upgrade)(config, wanted)
    return wanted
