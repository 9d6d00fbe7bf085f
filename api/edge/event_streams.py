"""Server-sent events: the answer that takes a stream's place, an event as text, and the loop of streams of news."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from flask import Response

from api.edge.concurrency import gate
from stemsvc.control.feeds import Feeds, News

HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 2000  # how soon a client that was cut off reconnects
BEGIN = f"retry: {RETRY_MILLISECONDS}\n\n"
ALIVE = ": here\n\n"


def streamed(lines: Iterator[str]) -> Response:
    """The answer that streams these lines. Raises `TransientError` `api_busy` where too many streams are open."""
    held = gate().hold_stream()
    response = Response(lines, mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold events back
    response.call_on_close(held.release)
    return response


def event_text(name: str, data: dict[str, Any], place: object = "") -> str:
    """An event as text; with a `place`, the `id` after which a client that reconnects goes on."""
    lines = [f"event: {name}", f"data: {json.dumps(data)}"]
    return "\n".join([*([f"id: {place}"] if place != "" else []), *lines]) + "\n\n"


def follow_news(
    feeds: Feeds,
    owner: str | None,
    valid: Callable[[], bool],
    told: Callable[[News | None], Iterator[str]],
    over: Callable[[], bool],
    seconds: float | Callable[[], float],
) -> Iterator[str]:
    """A stream as text: what `told` says of news, at once and then of each, at least every `seconds`.

    It ends when it is `over`, when its client is no longer `valid`, or with the process. An `owner` of None gets
    everybody's news.
    """
    yield BEGIN
    spoke = time.monotonic()
    with feeds.follow(owner) as follower:
        news: News | None = None
        while valid():
            for line in told(news):
                spoke = time.monotonic()
                yield line
            if over():
                return
            if time.monotonic() - spoke >= HEARTBEAT_SECONDS:
                spoke = time.monotonic()
                yield ALIVE
            try:
                pause = seconds() if callable(seconds) else seconds
                news = follower.wait(min(pause, HEARTBEAT_SECONDS))
            except LookupError:
                return
