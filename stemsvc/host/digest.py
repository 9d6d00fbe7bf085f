"""The hash of a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

BLOCK = 8 << 20  # bytes read at once: after each block a thread waits for Python's lock, which other threads hold


def sha256_of(path: Path) -> str:
    """The file's sha256 in hex."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
