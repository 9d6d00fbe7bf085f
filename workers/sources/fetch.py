"""Fetches a track for a job. The worker watches the child process that does it, and ends it when the job ends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from stemsvc.errors import FetchDied, SourceUnavailable, StemsvcError
from workers.host.sandbox import ChildDied, talk
from workers.sources.protocol import Fetched, Order, read

PATIENCE_SECONDS = 120.0  # for a track to begin, and longer by the time that its bytes may take
BYTES_PER_SECOND = 16 * 1024  # the slowest pace of a host: a slower one would hold a thread of the fetcher for hours


def fetch(order: Order, on_progress: Callable[[int, int | None], None]) -> Fetched:
    """Get the track. `on_progress` is called at least twice a second; what it raises ends the child process.

    A host that sends too slowly ends it, too. Raises what `child.fetch` raises, `TransientError` `source_unavailable`
    and `FatalError` `fetch_died`.
    """
    done: list[tuple[int, int | None]] = [(0, None)]
    start = time.monotonic()

    def on_line(line: str) -> Fetched | None:
        message = read(line)
        if isinstance(message, StemsvcError):
            raise message
        if isinstance(message, Fetched):
            return message
        done.append(message)
        return None

    def on_tick() -> None:
        on_progress(*done[-1])
        if time.monotonic() - start > PATIENCE_SECONDS + done[-1][0] / BYTES_PER_SECOND:
            raise SourceUnavailable("the host sends its track too slowly")

    try:
        return talk(
            "workers.sources.child",
            json.dumps(asdict(order)),
            Path(order.folder),
            on_line,
            on_tick,
        )
    except ChildDied as error:
        raise FetchDied("the process that fetched the track died") from error
