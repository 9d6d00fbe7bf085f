"""Where a job's track comes from: sent with the request, stored by the client before, or fetched from an address."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from stemsvc.errors import EmptyFile, FileTooLarge, InputGone, ObjectMissing, UploadMissing
from stemsvc.jobs.probe import Length, track_length
from stemsvc.jobs.spec import Input
from stemsvc.jobstore.uploads import Upload
from stemsvc.storage import Storage


class Source(Protocol):
    """One track of a request: a `SentFile`, an `UploadedFile`, a `Link`, a `StoredInput` or a `JobOutput`."""

    @property
    def name(self) -> str:
        """The track's name."""

    @property
    def url(self) -> str:
        """The address to fetch it from; empty where its bytes are here already."""

    @property
    def role(self) -> str:
        """Its role among the job's inputs; see `stemsvc.kinds.base.Role`."""

    @property
    def upload_id(self) -> str:
        """The upload that it comes from; empty where it comes from none."""

    @property
    def from_job(self) -> str:
        """The job, an output of which it is; empty where it is none."""

    @property
    def from_output(self) -> str:
        """The name of that output."""

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
    upload_id: str = ""
    from_job: str = ""
    from_output: str = ""

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
        self.data.seek(0)  # two inputs may be the same part of a form
        return storage.put(key, self.data, "application/octet-stream")


@dataclass(frozen=True)
class UploadedFile:
    """A file that the client stored by itself. It stays for other jobs until its time is over."""

    upload: Upload
    url: str = ""
    role: str = "source"
    from_job: str = ""
    from_output: str = ""

    @property
    def name(self) -> str:
        """See `Source`."""
        return self.upload.filename

    @property
    def upload_id(self) -> str:
        """See `Source`."""
        return self.upload.id

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
    upload_id: str = ""
    from_job: str = ""
    from_output: str = ""

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


@dataclass(frozen=True)
class StoredInput:
    """Input `number` of the job `job_id`, which is tried again: its bytes, or what they were copied from.

    That is the `upload`, or the object `output_key` of another job. None and nothing say that it is gone.
    """

    job_id: str
    number: int
    input: Input
    upload: Upload | None = None
    output_key: str = ""
    url: str = ""

    @property
    def name(self) -> str:
        """See `Source`."""
        return self.input.name

    @property
    def role(self) -> str:
        """See `Source`."""
        return self.input.role

    @property
    def upload_id(self) -> str:
        """See `Source`."""
        return self.upload.id if self.upload else ""

    @property
    def from_job(self) -> str:
        """See `Source`."""
        return self.input.from_job

    @property
    def from_output(self) -> str:
        """See `Source`."""
        return self.input.from_output

    def fingerprint(self) -> str:
        """See `Source`."""
        return f"input {self.number} of {self.job_id}"

    def length(self, storage: Storage) -> Length | None:
        """See `Source`."""
        for key in self._keys():
            try:
                with storage.open(key) as file:
                    return track_length(file)
            except ObjectMissing:
                continue
        return None  # `place` says so

    def size(self, storage: Storage) -> int:
        """See `Source`."""
        return next((size for key in self._keys() if (size := storage.size(key))), 0)

    def place(self, storage: Storage, key: str) -> int:
        """See `Source`. Raises `UsageError` `input_gone`."""
        for each in self._keys():
            try:
                storage.copy(each, key)
            except ObjectMissing:
                continue
            if size := storage.size(key):
                return size
        raise InputGone(f"the track of job {self.job_id} is no longer stored: send it again")

    def _keys(self) -> list[str]:
        """Where its bytes may be."""
        return [key for key in (self.input.key, self.upload.key if self.upload else "", self.output_key) if key]
