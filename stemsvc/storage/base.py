"""What every object storage must do. Keys are `/`-separated paths made by us, never by a client."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Protocol


class Storage(Protocol):
    """Each method raises `TransientError` `storage_unavailable` where trying again may help, `FatalError`
    `storage_denied` for refused credentials, `storage_missing` for a bucket or folder that is not there,
    `object_missing` for an object that is not."""

    def put(self, key: str, data: BinaryIO, content_type: str) -> int:
        """Store everything that `data` yields; the object appears whole or not at all. Returns its bytes."""

    def fetch(self, key: str, path: Path) -> None:
        """Write an object's bytes to the file `path`."""

    def delete(self, prefix: str) -> int:
        """Delete every object whose key starts with `prefix`; returns how many there were."""

    def keys(self, prefix: str) -> list[str]:
        """Keys that start with `prefix`, sorted."""

    def signed_url(self, key: str, seconds: int, filename: str, content_type: str) -> str:
        """A URL that lets anyone GET the object for `seconds`, saved by browsers as `filename`.

        Relative (`/v1/files/...`) where the api serves the objects itself and no public URL is set.
        """

    def check(self) -> None:
        """Raise what `put` would raise if storage cannot be used now."""
