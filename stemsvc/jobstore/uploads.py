"""Uploads in SQL: the files that clients may store themselves, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.locks import Lock, hold
from stemsvc.jobstore.tables import db_now, uploads


@dataclass(frozen=True)
class Upload:
    """A file that a client stores by itself, for jobs to name. Times are seconds since the epoch."""

    id: str
    owner: str
    filename: str
    max_bytes: int
    created_at: float = 0.0
    expires_at: float = 0.0

    @property
    def key(self) -> str:
        """The storage key of its bytes."""
        return f"uploads/{self.id}/file"


class Uploads:
    """Uploads by their ids. An expired upload is not found and does not count."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, upload: Upload, seconds: float, most: int) -> Upload | None:
        """Store a new upload that is valid for `seconds`; None where its owner already has `most`."""
        mine = sa.select(sa.func.count()).where(uploads.c.owner == upload.owner, uploads.c.expires_at > db_now())
        with translated(), self._engine.begin() as connection:
            hold(connection, Lock.UPLOADS, upload.owner)  # until the commit nobody else counts this owner's
            if connection.execute(mine).scalar_one() >= most:
                return None
            values = {
                "id": upload.id,
                "owner": upload.owner,
                "filename": upload.filename,
                "max_bytes": upload.max_bytes,
                "created_at": db_now(),
                "expires_at": db_now() + seconds,
            }
            connection.execute(uploads.insert().values(values))
            row = connection.execute(sa.select(uploads).where(uploads.c.id == upload.id)).mappings().one()
            return _upload(row)

    def find(self, upload_id: str) -> Upload | None:
        """The upload of that id; None where there is none or it has expired."""
        query = sa.select(uploads).where(uploads.c.id == upload_id, uploads.c.expires_at > db_now())
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
            return _upload(row) if row else None

    def expired(self, slack: float) -> list[Upload]:
        """At most 1000 uploads that expired more than `slack` seconds ago: until then a client may still be sending."""
        query = sa.select(uploads).where(uploads.c.expires_at < db_now() - slack).limit(1000)
        with reading(self._engine) as connection:
            return [_upload(row) for row in connection.execute(query).mappings()]

    def delete(self, upload_id: str) -> bool:
        """Delete an upload's row; False where there is none."""
        with translated(), self._engine.begin() as connection:
            return connection.execute(uploads.delete().where(uploads.c.id == upload_id)).rowcount == 1


def _upload(row: Mapping[Any, Any]) -> Upload:
    return Upload(**dict(row))
