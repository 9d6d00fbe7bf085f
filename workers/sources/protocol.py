"""What a fetching child is told and what it answers: one JSON object a line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from stemsvc.errors import StemsvcError, revived, to_wire


@dataclass(frozen=True)
class Order:
    """One track to get: its address, the folder for it, and what it may be at most."""

    url: str
    folder: str
    max_bytes: int
    max_seconds: float
    allowed_networks: str = ""
    proxy: str = ""
    cookies: str = ""


@dataclass(frozen=True)
class Fetched:
    """A file that came: its path, what it is called, its length in seconds where the source told."""

    path: str
    name: str
    seconds: float | None = None


def write(message: Fetched | StemsvcError | tuple[int, int | None]) -> str:
    """A line of a child's: the end, or bytes done of bytes in all."""
    if isinstance(message, Fetched):
        return json.dumps({"fetched": asdict(message)})
    if isinstance(message, StemsvcError):
        return json.dumps({"error": to_wire(message)})
    return json.dumps({"progress": list(message)})


def read(line: str) -> Fetched | StemsvcError | tuple[int, int | None]:
    """What `write` wrote."""
    found: dict[str, Any] = json.loads(line)
    if "fetched" in found:
        return Fetched(**found["fetched"])
    if "error" in found:
        return revived(found["error"])
    done, total = found["progress"]
    return done, total
