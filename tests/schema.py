"""The job store's newest schema on a fresh database, without the path to it."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import sqlalchemy as sa

from stemsvc.jobstore.engine import migrate


def fresh_schema(url: str) -> None:
    """What `migrate(url)` does to a database that nobody has used. SQLite's file is a copy of one migrated before."""
    path = sa.make_url(url).database
    if url.startswith("sqlite") and path is not None and not Path(path).exists():
        Path(path).touch(0o600)
        Path(path).write_bytes(_migrated())
    else:
        migrate(url)


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory(prefix="stemsvc-schema-") as folder:
        path = Path(folder) / "jobs.sqlite"
        migrate(f"sqlite:///{path}")
        return path.read_bytes()
