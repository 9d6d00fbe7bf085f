"""Which files of this machine an assistant may send: those in the folders that its user named."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from stemsvc.errors import FileForbidden


def song_within(folders: Sequence[Path], name: str) -> Path:
    """The file of that name, in one of the folders or below it. Raises `UsageError` `file_forbidden`.

    Links are followed first: one that leads out is refused. So is what is no plain file, such as a device or a pipe.
    """
    roots = [folder.resolve() for folder in folders]
    if "\0" in name or not name.strip():
        raise FileForbidden("name a file")
    for root in roots:
        try:
            path = (root / name).resolve(strict=True)
            plain = stat.S_ISREG(path.stat().st_mode)
        except (OSError, RuntimeError, ValueError):  # it is not there, or its links go round in a circle
            continue
        if plain and path.is_relative_to(root) and os.access(path, os.R_OK):
            return path
    raise FileForbidden(
        f"no readable file of that name is in {', '.join(map(str, roots)) or 'a folder that is shared'}"
    )
