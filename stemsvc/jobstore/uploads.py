"""Uploads in SQL: the files that clients may store themselves, until when, and how many bytes they have."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from stemsvc.errors import IdempotencyConflict, TooManyUploads
from stemsvc.jobstore.bounds import OwnLimits, check_stored, lock_owners
from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.tables import db_now, uploads

MANY_SECONDS = 60.0  # until a client may look again whether its uploads have become fewer
NAME_LETTERS = 24  # of an id that was made of an idempotency key; the others are of the request


@dataclass(frozen=True)
class Upload:
    """A file that a client stores by itself, for jobs to name. Times are seconds since the epoch.

    `bytes` are those that are stored, or that the client may still store: they count as the owner's. An upload in parts
    has all of them from the first on, in parts of `part_bytes` but for the last; `begun` is the storage's name for it.
    """

    id: str
    owner: str
    filename: str
    max_bytes: int
    created_at: float = 0.0
    expires_at: float = 0.0
    bytes: int = 0
    part_bytes: int = 0
    begun: str = ""

    @property
    def sizes(self) -> list[int]:
        """The bytes of each part; none of an upload that comes whole."""
        if not self.part_bytes:
            return []
        whole, rest = divmod(self.bytes, self.part_bytes)
        return [self.part_bytes] * whole + [rest] * (rest > 0)

    @property
    def key(self) -> str:
        """The storage key of its bytes."""
        return f"uploads/{self.id}/file"


def named_id(owner: str, key: str, request: str) -> str:
    """The id of the upload that an owner asked for with an idempotency key. The same key in another request makes an
    id with the same first `NAME_LETTERS`."""
    name = hashlib.sha256(f"{owner}\0{key}".encode()).hexdigest()
    return name[:NAME_LETTERS] + hashlib.sha256(request.encode()).hexdigest()[: 32 - NAME_LETTERS]


class Uploads:
    """Uploads by their ids. An expired upload is not found and does not count.

    `max_stored_bytes` is what an owner may store whose key does not say it; 0: any number.
    """

    def __init__(self, engine: sa.Engine, max_stored_bytes: int = 0) -> None:
        self._engine = engine
        self._max_stored_bytes = max_stored_bytes

    def add(self, upload: Upload, seconds: float, most: int, named: bool = False) -> Upload:
        """Store a new upload that is valid for `seconds`. Where its id is `named_id`'s, an earlier one is returned.

        Raises `UsageError` `idempotency_conflict` where another request had its name, `TransientError`
        `too_many_uploads` where its owner already has `most`, and what `check_stored` raises where its owner may not
        store its `bytes`.
        """
        mine = sa.select(sa.func.count()).where(uploads.c.owner == upload.owner, uploads.c.expires_at > db_now())
        with translated(), self._engine.begin() as connection:
            lock_owners(connection, [upload.owner])
            if named and (earlier := _earlier(connection, upload.id)) is not None:
                return earlier
            if connection.execute(mine).scalar_one() >= most:
                raise TooManyUploads(f"{most} uploads are already open", retry_after=MANY_SECONDS)
            most_stored = OwnLimits.of(connection, upload.owner).most_stored(self._max_stored_bytes)
            check_stored(connection, upload.owner, upload.bytes, most_stored)
            values = {
                "id": upload.id,
                "owner": upload.owner,
                "filename": upload.filename,
                "max_bytes": upload.max_bytes,
                "created_at": db_now(),
                "expires_at": db_now() + seconds,
                "bytes": upload.bytes,
                "part_bytes": upload.part_bytes,
            }
            connection.execute(uploads.insert().values(values))
            row = connection.execute(sa.select(uploads).where(uploads.c.id == upload.id)).mappings().one()
            return _upload(row)

    def find(self, upload_id: str) -> Upload | None:
        """The upload of that id; None where there is none or it has expired."""
        with reading(self._engine) as connection:
            return _find(connection, upload_id)

    def reserve(self, upload_id: str, bytes: int) -> Upload | None:
        """Count the upload with so many bytes, before they are stored; None where `find` would find none.

        Raises what `check_stored` raises where its owner may not store them.
        """
        with translated(), self._engine.begin() as connection:
            upload = _find(connection, upload_id)
            if upload is None:
                return None
            lock_owners(connection, [upload.owner])
            before = _find(connection, upload_id)  # what it is now that nobody else changes it
            if before is None:
                return None
            most = OwnLimits.of(connection, upload.owner).most_stored(self._max_stored_bytes)
            check_stored(connection, upload.owner, bytes, most, more=-before.bytes)
            connection.execute(uploads.update().where(uploads.c.id == upload_id).values(bytes=bytes))
            return before

    def begun(self, upload_id: str, begun: str) -> str:
        """Keep the storage's name for an upload in parts, unless it has one; returns the name that it has then.

        Empty where the upload is gone.
        """
        mine = uploads.update().where(uploads.c.id == upload_id, uploads.c.begun == "").values(begun=begun)
        with translated(), self._engine.begin() as connection:
            connection.execute(mine)
            kept = connection.execute(sa.select(uploads.c.begun).where(uploads.c.id == upload_id)).scalar_one_or_none()
            return str(kept or "")

    def measured(self, upload_id: str, bytes: int) -> None:
        """Count the upload with the bytes that are stored, and nothing more."""
        with translated(), self._engine.begin() as connection:
            connection.execute(uploads.update().where(uploads.c.id == upload_id).values(bytes=bytes))

    def expired(self) -> list[Upload]:
        """At most 1000 uploads whose time is over."""
        query = sa.select(uploads).where(uploads.c.expires_at < db_now()).limit(1000)
        with reading(self._engine) as connection:
            return [_upload(row) for row in connection.execute(query).mappings()]

    def delete(self, upload_id: str) -> bool:
        """Delete an upload's row; False where there is none."""
        with translated(), self._engine.begin() as connection:
            return connection.execute(uploads.delete().where(uploads.c.id == upload_id)).rowcount == 1


def _find(connection: sa.Connection, upload_id: str) -> Upload | None:
    query = sa.select(uploads).where(uploads.c.id == upload_id, uploads.c.expires_at > db_now())
    row = connection.execute(query).mappings().first()
    return _upload(row) if row else None


def _earlier(connection: sa.Connection, upload_id: str) -> Upload | None:
    query = sa.select(uploads).where(uploads.c.id.startswith(upload_id[:NAME_LETTERS]))
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    if row["id"] != upload_id:
        raise IdempotencyConflict("this Idempotency-Key came before with another request")
    if (found := _find(connection, upload_id)) is None:
        raise IdempotencyConflict("the upload of this Idempotency-Key is over: use a new one")
    return found


def _upload(row: Mapping[Any, Any]) -> Upload:
    return Upload(**dict(row))
