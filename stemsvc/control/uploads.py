"""Clients' uploads: announced before they are sent, counted while they are stored, deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from stemsvc.control.sources import UploadedFile
from stemsvc.errors import BadOptions, FileTooLarge, StemsvcError, UploadNotFound
from stemsvc.jobs.record import new_job_id
from stemsvc.jobstore.uploads import Upload, Uploads, named_id
from stemsvc.storage import Storage
from stemsvc.storage.base import SignedPut
from stemsvc.storage.parts import lacking_parts, part_number

PART_BYTES = 16 << 20  # at least; S3 takes no less than 5 MiB, and R2 wants all but the last to be alike
MOST_PARTS = 1000  # which one answer names; S3 takes ten times as many


@dataclass(frozen=True)
class Part:
    """A part of an upload: its number from 1 on, its size, and where to send it."""

    number: int
    bytes: int
    place: SignedPut


class ClientUploads:
    """The files that clients store by themselves. `min_free_bytes` must be free where one is to come."""

    def __init__(self, uploads: Uploads, storage: Storage, min_free_bytes: int) -> None:
        self._uploads = uploads
        self._storage = storage
        self._min_free_bytes = min_free_bytes

    def announce(
        self,
        name: str,
        max_bytes: int,
        owner: str,
        seconds: float,
        most: int,
        bytes: int | None = None,
        idempotency_key: str | None = None,
        parts: bool = False,
    ) -> Upload:
        """Make an upload for a client to send a file to, of exactly `bytes` where that is given, in `parts` if it wants
        that. A request whose idempotency key came before gets the earlier upload.

        A storage that can't refuse what comes may get `max_bytes` where no size was announced: so many count then.
        Raises `TransientError` `too_many_uploads`, `key_storage_full` or `storage_full`, `UsageError` `file_too_large`
        or `idempotency_conflict`, `bad_options` for parts of a file whose size is not known.
        """
        if parts and bytes is None:
            raise BadOptions("a file that comes in parts needs its size: send `bytes`")
        self._storage.check_room(self._min_free_bytes)
        unannounced = 0 if self._storage.receives else max_bytes
        upload_bytes = unannounced if bytes is None else bytes
        named = idempotency_key is not None
        asked = "parts of " * parts + f"{bytes} {name}"  # no name reads as another request
        upload_id = new_job_id() if idempotency_key is None else named_id(owner, idempotency_key, asked)
        upload = Upload(
            upload_id,
            owner,
            name,
            max_bytes,
            bytes=upload_bytes,
            part_bytes=max(PART_BYTES, -(-upload_bytes // MOST_PARTS)) if parts else 0,
        )
        try:
            return self._uploads.add(upload, seconds, most, named)
        except FileTooLarge as error:
            advice = "; announce the size in `bytes`" if bytes is None else ""
            raise FileTooLarge(error.detail + advice) from error

    def lacking(self, upload: Upload, seconds: int) -> list[Part]:
        """The parts that have not come yet of an upload in parts, the first one first, with signed places for them.

        Raises `UsageError` `upload_not_found` where it is deleted meanwhile.
        """
        if self._storage.size(upload.key) == upload.bytes:
            return []
        begun = upload.begun or self._begun(upload)
        sizes = upload.sizes
        return [
            Part(each, sizes[each - 1], self._storage.signed_part(upload.key, begun, each, seconds, sizes[each - 1]))
            for each in lacking_parts(self._storage.parts(upload.key, begun), sizes)
        ]

    def _begun(self, upload: Upload) -> str:
        mine = self._storage.begin(upload.key)  # of two requests at once, one keeps its own
        if begun := self._uploads.begun(upload.id, mine):
            return begun
        self._storage.delete(f"uploads/{upload.id}/")
        raise UploadNotFound("this upload was deleted meanwhile")

    def ready(self, upload_id: str, caller: str | None) -> UploadedFile:
        """The same as `find`, with its parts joined where it came in parts.

        Raises `UsageError` `upload_incomplete` too, while a part lacks.
        """
        found = self.find(upload_id, caller)
        if found.upload.part_bytes:
            self._storage.join(found.upload.key, found.upload.begun or self._begun(found.upload), found.upload.sizes)
        return found

    def find(self, upload_id: str, caller: str | None) -> UploadedFile:
        """The file that a client stored by itself; None as caller sees everybody's.

        Raises `UsageError` `upload_not_found`.
        """
        upload = self._uploads.find(upload_id) if upload_id.isalnum() else None
        if upload is None or caller not in (None, upload.owner):
            raise UploadNotFound("no such upload, or its time is over")
        return UploadedFile(upload)

    def receive(self, key: str, bytes: int, store: Callable[[], object]) -> None:
        """Have `store` put what a client sends, `bytes` long, under an upload's key.

        Raises `UsageError` `upload_not_found` where the upload is deleted or has expired, also while the client sends:
        nothing is left then. Raises `UsageError` `file_too_large` and `TransientError` `key_storage_full` where the
        owner may not store so much, and what `store` raises.
        """
        upload = self._reserved(key, bytes)
        if upload is None:
            raise UploadNotFound("this upload was deleted, or its time is over")
        try:
            store()
        except BaseException as error:
            if not self._still_there(upload):
                raise UploadNotFound("this upload was deleted meanwhile") from error
            if not upload.part_bytes:
                with contextlib.suppress(StemsvcError):  # until it expires, the upload counts with what was to come
                    self._uploads.measured(upload.id, self._storage.size(upload.key) or 0)
            raise
        if not self._still_there(upload):
            self._storage.delete(key)
            raise UploadNotFound("this upload was deleted meanwhile")

    def _reserved(self, key: str, bytes: int) -> Upload | None:
        """The upload to which a key belongs, with so many bytes counted; all of an upload in parts count already."""
        if key.count("/") != 2:
            return None
        upload = self._uploads.find(key.split("/")[1])
        if upload is None or not upload.part_bytes:
            upload = self._uploads.reserve(key.split("/")[1], bytes)
            return upload if upload is not None and upload.key == key else None
        number = part_number(upload.key, key)
        is_its = key == upload.key or (number is not None and 1 <= number <= len(upload.sizes))
        return upload if is_its else None

    def erase(self, upload_id: str, caller: str | None) -> None:
        """Delete an upload and what was sent to it. Raises `UsageError` `upload_not_found`."""
        upload = self.find(upload_id, caller).upload
        self._storage.delete(f"uploads/{upload.id}/")
        self._uploads.delete(upload.id)
        self._storage.delete(f"uploads/{upload.id}/")  # what came in between

    def _still_there(self, upload: Upload) -> bool:
        return self._uploads.find(upload.id) is not None
