"""The messages between a worker and the child process that fetches for it: one JSON object a line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from stemsvc.errors import StemsvcError, revived, to_wire


@dataclass(frozen=True)
class Order:
    """One track to fetch: its URL, the folder for it, and how large and how long it may be."""

    url: str
    folder: str
    max_bytes: int
    max_seconds: float
    allowed_networks: str = ""
    proxy: str = ""
    cookies: str = ""


@dataclass(frozen=True)
class Fetched:
    """A fetched file: its path, its name, and its length in seconds if the source tells it."""

    path: str
    name: str
    seconds: float | None = None


def write(message: Fetched | StemsvcError | tuple[int, int | None]) -> str:
    """The line for the fetched file, the error, or progress: bytes done and bytes in all."""
    if isinstance(message, Fetched):
        return json.dumps({"fetched": asdict(message)})
    if isinstance(message, StemsvcError):
        return json.dumps({"error": to_wire(message)})
    return json.dumps({"progress": list(message)})


def read(line: str) -> Fetched | StemsvcError | tuple[int, int | None]:
    """The message in a line of `write`."""
    found: dict[str, Any] = json.loads(line)
    if "fetched" in found:
        return Fetched(**found["fetched"])
    if "error" in found:
        return revived(found["error"])
    done, total = found["progress"]
    return done, total
