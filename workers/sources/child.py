"""The child process that fetches: `python -m workers.sources.child`.

It reads one order from its input and writes lines of JSON to its output.
"""

from __future__ import annotations

import json
import time

from stemsvc.control.guard import Guard
from stemsvc.errors import InternalError, StemsvcError
from workers.host.sandbox import be_child
from workers.sources import ytdlp
from workers.sources.direct import fetch_direct
from workers.sources.protocol import Fetched, Order, write
from workers.sources.sandbox import confine

SAY_SECONDS = 0.5


class _Progress:
    """Prints progress, at most once in `SAY_SECONDS`."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, done: int, total: int | None) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SAY_SECONDS
            print(write((done, total)), flush=True)


def fetch(order: Order) -> Fetched:
    """Get the track: from a site that yt-dlp knows, else the file at the URL, else what yt-dlp finds in the page."""
    guard, progress = Guard(order.allowed_networks), _Progress()
    guard.check_url(order.url)
    confine(guard, order.proxy, order.max_bytes)
    if not ytdlp.knows(order.url):
        found = fetch_direct(order, guard, progress)
        if found is not None:
            return found
    return ytdlp.fetch_video(order, progress)


def main() -> None:
    """Fetch what the order names, and print the answer."""
    order = Order(**json.loads(be_child()))
    try:
        print(write(fetch(order)), flush=True)
    except StemsvcError as error:
        print(write(error), flush=True)
    except Exception as error:
        import traceback

        traceback.print_exc()
        print(write(InternalError(f"the fault is in stemsvc ({type(error).__name__})")), flush=True)


if __name__ == "__main__":
    main()
