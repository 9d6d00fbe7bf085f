"""Clients' uploads: announced before they are sent, counted while they are stored, deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from stemsvc.control.sources import UploadedFile
from stemsvc.errors import FileTooLarge, StemsvcError, UploadNotFound
from stemsvc.jobs.record import new_job_id
from stemsvc.jobstore.uploads import Upload, Uploads, named_id
from stemsvc.storage import Storage


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
    ) -> Upload:
        """Make an upload for a client to send a file to, of exactly `bytes` where that is given. A request whose
        idempotency key came before gets the earlier upload.

        A storage that can't refuse what comes may get `max_bytes` where no size was announced: so many count then.
        Raises `TransientError` `too_many_uploads`, `key_storage_full` or `storage_full`, `UsageError` `file_too_large`
        or `idempotency_conflict`.
        """
        self._storage.check_room(self._min_free_bytes)
        unannounced = 0 if self._storage.receives else max_bytes
        named = idempotency_key is not None
        upload_id = new_job_id() if idempotency_key is None else named_id(owner, idempotency_key, f"{bytes} {name}")
        upload = Upload(upload_id, owner, name, max_bytes, bytes=unannounced if bytes is None else bytes)
        try:
            return self._uploads.add(upload, seconds, most, named)
        except FileTooLarge as error:
            advice = "; announce the size in `bytes`" if bytes is None else ""
            raise FileTooLarge(error.detail + advice) from error

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
        upload = self._uploads.reserve(key.split("/")[1], bytes) if key.count("/") == 2 else None
        if upload is None or upload.key != key:
            raise UploadNotFound("this upload was deleted, or its time is over")
        try:
            store()
        except BaseException as error:
            if not self._still_there(upload):
                raise UploadNotFound("this upload was deleted meanwhile") from error
            with contextlib.suppress(StemsvcError):  # until it expires, the upload counts with what was to come
                self._uploads.measured(upload.id, self._storage.size(upload.key) or 0)
            raise
        if not self._still_there(upload):
            self._storage.delete(upload.key)
            raise UploadNotFound("this upload was deleted meanwhile")

    def erase(self, upload_id: str, caller: str | None) -> None:
        """Delete an upload and what was sent to it. Raises `UsageError` `upload_not_found`."""
        upload = self.find(upload_id, caller).upload
        self._storage.delete(f"uploads/{upload.id}/")
        self._uploads.delete(upload.id)
        self._storage.delete(f"uploads/{upload.id}/")  # what came in between

    def _still_there(self, upload: Upload) -> bool:
        return self._uploads.find(upload.id) is not None
