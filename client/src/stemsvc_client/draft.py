"""A file while it is downloaded: it appears under its name when it is whole and its bytes are right."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from stemsvc_client.errors import DownloadCorrupt
from stemsvc_client.places import reachable

CHUNK = 1 << 18


class Draft:
    """The bytes of `target` that have come. Where the sha256 is known, they stay after a failure, for the next try.

    All methods block.
    """

    def __init__(self, target: Path, sha256: str) -> None:
        self._target, self._sha256 = reachable(target), sha256.lower()
        mark = hashlib.sha256(f"{target.name}\0{self._sha256}".encode()).hexdigest()[:24]
        self._path = self._target.with_name(f".stemsvc-{mark}.part")
        self._file: BinaryIO | None = None
        self.have = 0

    def open(self) -> int:
        """Open it; returns how many bytes an earlier try has left."""
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("ab+" if self._sha256 else "wb+")
        self._file.seek(0)
        self._hash = hashlib.sha256()
        while part := self._file.read(CHUNK):
            self._hash.update(part)
        self.have = self._file.tell()
        return self.have

    def write(self, part: bytes) -> None:
        """Add bytes."""
        assert self._file is not None
        self._file.write(part)
        self._hash.update(part)
        self.have += len(part)

    def restart(self) -> None:
        """Forget what has come."""
        assert self._file is not None
        self._file.truncate(0)
        self._file.seek(0)
        self._hash, self.have = hashlib.sha256(), 0

    def finish(self) -> None:
        """Give the file its name. Raises `DownloadCorrupt` where its bytes are not those of the sha256."""
        assert self._file is not None
        if self._sha256 and self._hash.hexdigest() != self._sha256:
            raise DownloadCorrupt(f"{self._target.name} came with other bytes than its sha256 says")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._path.replace(self._target)

    def close(self) -> None:
        """Close it. What nobody could check later is removed."""
        if self._file is not None:
            self._file.close()
        if not self._sha256:
            self._path.unlink(missing_ok=True)
