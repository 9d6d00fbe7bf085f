"""Where a job's track comes from: sent with the request, stored by the client before, or fetched from an address."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from stemsvc.errors import EmptyFile, FileTooLarge, ObjectMissing, UploadMissing
from stemsvc.jobs.probe import Length, track_length
from stemsvc.jobstore.uploads import Upload
from stemsvc.storage import Storage


class Source(Protocol):
    """One track of a request: a `SentFile`, an `UploadedFile` or a `Link`."""

    @property
    def name(self) -> str:
        """The track's name."""

    @property
    def url(self) -> str:
        """The address to fetch it from; empty where its bytes are here already."""

    @property
    def role(self) -> str:
        """Its role among the job's inputs; see `stemsvc.kinds.base.Role`."""

    def fingerprint(self) -> str:
        """A text that differs from that of every other source in the same client's requests."""

    def length(self, storage: Storage) -> Length | None:
        """How long it plays, as far as its bytes tell; None where they don't, and before it is fetched."""

    def size(self, storage: Storage) -> int:
        """How many bytes `place` will store; 0 where that is not known before."""

    def place(self, storage: Storage, key: str) -> int:
        """Put its bytes under that key; returns how many. Raises the storage's errors."""


@dataclass(frozen=True)
class SentFile:
    """A file in the request: an open binary stream and the name the client gave it."""

    data: BinaryIO
    name: str
    url: str = ""
    role: str = "source"

    def fingerprint(self) -> str:
        """See `Source`: the bytes' hash and the name."""
        digest = hashlib.sha256(self.name.encode())
        self.data.seek(0)
        while part := self.data.read(1 << 20):
            digest.update(part)
        self.data.seek(0)
        return digest.hexdigest()

    def length(self, storage: Storage) -> Length | None:
        """See `Source`."""
        return track_length(self.data)

    def size(self, storage: Storage) -> int:
        """See `Source`."""
        size = self.data.seek(0, os.SEEK_END)
        self.data.seek(0)
        return size

    def place(self, storage: Storage, key: str) -> int:
        """See `Source`."""
        return storage.put(key, self.data, "application/octet-stream")


@dataclass(frozen=True)
class UploadedFile:
    """A file that the client stored by itself. It stays for other jobs until its time is over."""

    upload: Upload
    url: str = ""
    role: str = "source"

    @property
    def name(self) -> str:
        """See `Source`."""
        return self.upload.filename

    def fingerprint(self) -> str:
        """See `Source`."""
        return self.upload.id

    def length(self, storage: Storage) -> Length | None:
        """See `Source`: its header is read where it lies."""
        try:
            with storage.open(self.upload.key) as file:
                return track_length(file)
        except ObjectMissing:  # `place` says so
            return None

    def size(self, storage: Storage) -> int:
        """See `Source`."""
        return storage.size(self.upload.key) or 0

    def place(self, storage: Storage, key: str) -> int:
        """See `Source`. Raises `UsageError` `upload_missing`, `empty_file` or `file_too_large`."""
        self._check(storage, self.upload.key)
        storage.copy(self.upload.key, key)
        return self._check(storage, key)  # of the copy: the client may send another file at any time

    def _check(self, storage: Storage, key: str) -> int:
        size = storage.size(key)
        if size is None:
            raise UploadMissing("nothing was sent to this upload's URL yet")
        if size == 0:
            raise EmptyFile("the file has no bytes")
        if size > self.upload.max_bytes:
            storage.delete(self.upload.key)
            raise FileTooLarge(f"the upload has {size} bytes; at most {self.upload.max_bytes} are taken")
        return size


@dataclass(frozen=True)
class Link:
    """An address from which the pool `fetch` downloads the track."""

    url: str
    name: str = "track"
    role: str = "source"

    def fingerprint(self) -> str:
        """See `Source`."""
        return self.url

    def length(self, storage: Storage) -> Length | None:
        """See `Source`: unknown until it is fetched."""
        return None

    def size(self, storage: Storage) -> int:
        """See `Source`: unknown until it is fetched."""
        return 0

    def place(self, storage: Storage, key: str) -> int:
        """See `Source`: nothing yet."""
        return 0
