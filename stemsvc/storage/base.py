"""What every object storage must do. Keys are `/`-separated paths made by us, never by a client."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from stemsvc.errors import ScratchFull

ATTEMPTS = 5  # of a call to a remote storage
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def scratch_errors() -> Iterator[None]:
    """Raise `TransientError` `scratch_full` where the disk is full that an object is fetched to."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise ScratchFull(f"the scratch disk refuses: {error.strerror}") from error
        raise


@dataclass(frozen=True)
class SignedPut:
    """Where and how a client may store one object itself: a PUT of its bytes to `url`, with these headers.

    They are such that the script of a web page may set them.
    """

    url: str
    headers: dict[str, str] = field(default_factory=dict)


class Storage(Protocol):
    """Each method raises `TransientError` `storage_unavailable` where trying again may help, `FatalError`
    `storage_denied` for refused credentials, `storage_missing` for a bucket or folder that does not exist, `UsageError`
    `object_missing` for an object that does not exist.

    `receives` says whether what clients send to the URLs of `signed_put` comes to the api, which can then refuse it."""

    receives: bool

    def put(self, key: str, data: BinaryIO, content_type: str) -> int:
        """Store everything that `data` yields; the object appears whole or not at all. Returns its size in bytes."""

    def fetch(self, key: str, path: Path) -> None:
        """Write an object's bytes to the file `path`; raises `TransientError` `scratch_full` where they don't fit."""

    def open(self, key: str) -> BinaryIO:
        """An object's bytes, seekable; close it. Only what is read is transferred, and only a few MB may be."""

    def read(self, key: str, start: int, count: int) -> bytes:
        """`count` bytes of an object from `start` on, fewer where it ends before. No connection stays open."""

    def delete(self, prefix: str) -> int:
        """Delete every object whose key starts with `prefix`; returns how many there were.

        What is being stored under such a key goes too, also what a writer that was killed left unfinished. The `put` of
        a writer that lives raises `storage_unavailable`.
        """

    def clear_drafts(self, prefixes: Sequence[str]) -> int:
        """Remove what writers that were killed left unfinished some time ago; returns how many it was.

        A writer that lives loses nothing. Under keys without one of the prefixes a bucket may have other programs'
        uploads, which stay.
        """

    def sizes(self, prefix: str) -> dict[str, int]:
        """The bytes of each object whose key starts with `prefix`, by key, sorted."""

    def keys(self, prefix: str) -> list[str]:
        """Keys that start with `prefix`, sorted."""

    def signed_url(self, key: str, seconds: int, filename: str, content_type: str, sha256: str = "") -> str:
        """A URL that lets anyone GET the object for `seconds`, saved by browsers as `filename`.

        Relative (`/v1/files/...`) where the api serves the objects itself and no public URL is set. `sha256` is that of
        the object: the ETag of the api's answer. S3 has ETags of its own.
        """

    def signed_put(self, key: str, seconds: int, max_bytes: int, bytes: int | None = None) -> SignedPut:
        """A request with which a client may store an object of at most `max_bytes` within `seconds`.

        The object must have exactly `bytes` where that is given. Some storages can't enforce `max_bytes`: whoever uses
        the object must check its size. The URL is relative where that of `signed_url` is.
        """

    def begin(self, key: str) -> str:
        """Begin an object that comes in parts; returns the storage's own name for it."""

    def signed_part(self, key: str, begun: str, number: int, seconds: int, bytes: int) -> SignedPut:
        """A request with which a client may store a part of an object within `seconds`: exactly `bytes`.

        Numbers begin with 1. Some storages take no part twice: send those that `parts` lacks.
        """

    def parts(self, key: str, begun: str) -> dict[int, int]:
        """The parts that are stored, with their bytes; none where they were joined, or deleted."""

    def join(self, key: str, begun: str, sizes: Sequence[int]) -> None:
        """Make the object of its parts, which have these sizes, the first one first; once it is made, do nothing.

        The object appears whole or not at all. Raises `UsageError` `upload_incomplete` where a part lacks, or has
        another size.
        """

    def size(self, key: str) -> int | None:
        """Bytes of an object; None where there is none."""

    def copy(self, source: str, target: str) -> None:
        """Copy an object to another key; to delete one of the two leaves the other."""

    def check_room(self, bytes: int) -> None:
        """Raise `TransientError` `storage_full` where the storage knows that fewer bytes than these are free."""

    def check(self) -> None:
        """Raise what `put` would raise if storage cannot be used now."""
