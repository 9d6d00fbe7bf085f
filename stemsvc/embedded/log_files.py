"""The logs of a stack, which do not grow for ever.

Processes append to their logs and do not open them anew. So a log that is full is copied aside and emptied in place.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

ASIDE = re.compile(r"(?P<name>.+)\.log\.(?P<number>[1-9]\d*)")


def logs(folder: Path) -> dict[str, Path]:
    """The logs in a folder, by the names of their processes."""
    return {path.stem: path for path in sorted(folder.glob("*.log"))}


def aside(log: Path) -> list[Path]:
    """What was put aside of a log, the oldest first."""
    found = {
        int(match["number"]): path
        for path in log.parent.glob(f"{log.name}.*")
        if (match := ASIDE.fullmatch(path.name)) and match["name"] == log.stem
    }
    return [found[number] for number in sorted(found, reverse=True)]


def rotate(folder: Path, most_bytes: int, keep: int) -> None:
    """Put every log aside that is larger than `most_bytes` (0: none), and keep the newest `keep` of each.

    A log that can't be copied, as on a full disk, is emptied all the same.
    """
    if not most_bytes:
        return
    for log in logs(folder).values():
        with contextlib.suppress(OSError):
            if log.stat().st_size > most_bytes:
                _rotate(log, keep)


def _rotate(log: Path, keep: int) -> None:
    for path in aside(log):
        number = int(path.suffix[1:])
        if number >= keep:
            path.unlink()
        else:
            path.replace(log.with_name(f"{log.name}.{number + 1}"))
    first = log.with_name(f"{log.name}.1")
    with log.open("rb+") as file:
        if keep:
            try:
                with first.open("wb") as copy:
                    os.fchmod(copy.fileno(), 0o600)
                    while part := file.read(1 << 20):  # until nothing is left: what comes meanwhile is copied too
                        copy.write(part)
            except OSError:
                first.unlink(missing_ok=True)
        file.truncate(0)


def tail(path: Path, lines: int) -> list[str]:
    """The last `lines` lines of a log, also of what was put aside of it. Only the end of a file is read."""
    found: list[str] = []
    for each in [path, *reversed(aside(path))]:
        if len(found) >= lines:
            break
        found = [*_last_lines(each, lines - len(found)), *found]
    return found


def _last_lines(path: Path, lines: int) -> list[str]:
    size = 1 << 16
    while True:
        try:
            with path.open("rb") as file:
                start = max(0, file.seek(0, os.SEEK_END) - size)
                file.seek(start)
                content = file.read()
        except FileNotFoundError:  # put aside just now
            return []
        if start == 0 or content.count(b"\n") > lines:
            return content.decode(errors="replace").splitlines()[-lines:] if lines else []
        size *= 4
