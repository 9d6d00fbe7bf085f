"""Where files are saved: names that lead nowhere else, and paths that may be long, on Linux, macOS and Windows."""

from __future__ import annotations

import os
import re
from pathlib import Path

from stemsvc_client.results import File

LONGEST = 247  # characters of a path that every call of Windows takes: a folder's name may need 12 more
WHOLE = "\\\\?\\"  # lifts that limit (learn.microsoft.com, "Maximum Path Length Limitation")
SHARE = "\\\\"  # what the path of another machine begins with
_UNSAFE = re.compile(r'[<>:"|?*]')  # on Windows `a:b` is a stream of the file `a`, and `c:b` a file of another drive
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_DEVICES = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?:\s*\..*)?", re.IGNORECASE | re.DOTALL
)


def place(folder: Path, name: str, file: File) -> Path:
    """Where a job's file is saved in `folder`: under its own name, which leads nowhere else."""
    plain = _CONTROLS.sub("", re.split(r"[/\\]", file.filename)[-1])
    plain = _UNSAFE.sub("_", plain).rstrip(" .") or re.sub(r"[^\w-]", "_", name)
    return folder / (f"_{plain}" if _DEVICES.fullmatch(plain) else plain)


def reachable(path: Path) -> Path:
    """The path as the system opens it however long it is."""
    return Path(extended(str(path.absolute()))) if os.name == "nt" else path


def extended(path: str) -> str:
    """An absolute path of Windows, with the prefix that lifts the limit of its length where it needs that."""
    if len(path) <= LONGEST or path.startswith(WHOLE):
        return path
    return f"{WHOLE}UNC\\{path.removeprefix(SHARE)}" if path.startswith(SHARE) else f"{WHOLE}{path}"
