"""Fetches a track for a job. The worker watches the child process that does it, and ends it when the job ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from stemsvc.errors import FetchDied, StemsvcError
from workers.host.sandbox import ChildDied, talk
from workers.sources.protocol import Fetched, Order, read


def fetch(order: Order, on_progress: Callable[[int, int | None], None]) -> Fetched:
    """Get the track. `on_progress` is called at least twice a second; what it raises ends the child process.

    Raises what `child.fetch` raises, and `FatalError` `fetch_died`.
    """
    done: list[tuple[int, int | None]] = [(0, None)]

    def on_line(line: str) -> Fetched | None:
        message = read(line)
        if isinstance(message, StemsvcError):
            raise message
        if isinstance(message, Fetched):
            return message
        done.append(message)
        return None

    try:
        return talk(
            "workers.sources.child",
            json.dumps(asdict(order)),
            Path(order.folder),
            on_line,
            lambda: on_progress(*done[-1]),
        )
    except ChildDied as error:
        raise FetchDied("the process that fetched the track died") from error
