"""Limits: how many requests work at a time, how long a body may take to arrive, how many requests wait for jobs.

There are many threads, because event streams and slow bodies only wait in theirs. Few requests work at a time: more
of them would only compete for the interpreter's lock.
"""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask, current_app, g, request
from werkzeug.exceptions import BadRequest, HTTPException, RequestTimeout

from api.edge.bodies import FIELDS_LIMIT, FORMS
from api.edge.telemetry import PROBES, waiting_for_others
from stemsvc.errors import ApiBusy, TooManyStreams
from stemsvc.observe import metrics

SILENCE_SECONDS = 30.0  # longest wait for the next bytes of a body
PATIENCE_SECONDS = 60.0  # every body may take this long, and longer by its length over BYTES_PER_SECOND
TOO_SLOW = "the request's body arrived too slowly; send it faster, or use a presigned upload"
ARCHIVES = 50  # sent at a time by a process: half of the threads for what goes slowly, and 2 MB of each in memory
BYTES_PER_SECOND = 16 * 1024  # the slowest pace of a long body


class Gate:
    """A limited number of places for requests that work, and another for requests that wait."""

    def __init__(self, working: int, waiting: int) -> None:
        self._working = threading.BoundedSemaphore(working)
        self._archives = threading.BoundedSemaphore(ARCHIVES)
        self._waiting = threading.BoundedSemaphore(max(1, waiting))
        self._open = waiting > 0

    def enter(self) -> None:
        """Wait for a free place to work, and take it."""
        self._working.acquire()
        g.working = True

    def leave(self) -> None:
        """Give the place to work back. A second call does nothing."""
        if g.pop("working", False):
            self._working.release()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait without holding a place to work. Raises `TransientError` `too_many_streams`."""
        if not self._open or not self._waiting.acquire(blocking=False):
            raise TooManyStreams("too many requests already wait for jobs", retry_after=10.0)
        worked = g.get("working", False)
        self.leave()
        metrics.streams_opened(1)
        try:
            with waiting_for_others():
                yield
        finally:
            self._waiting.release()
            metrics.streams_opened(-1)
            if worked:
                self.enter()

    def hold_stream(self) -> _Held:
        """Take a place to wait, until an event stream ends. Raises `TransientError` `too_many_streams`."""
        if not self._open or not self._waiting.acquire(blocking=False):
            raise TooManyStreams("too many event streams are already open", retry_after=10.0)
        metrics.streams_opened(1)
        return _Held(self._waiting, lambda: metrics.streams_opened(-1))

    def hold_archive(self) -> _Held:
        """Take a place to send an archive, until it is sent. Raises `TransientError` `api_busy`."""
        if not self._archives.acquire(blocking=False):
            raise ApiBusy("too many archives are being sent", retry_after=10.0)
        return _Held(self._archives)


class _Held:
    """A place to wait, which is given back once."""

    def __init__(self, places: threading.BoundedSemaphore, given_back: Callable[[], None] | None = None) -> None:
        self._places: threading.BoundedSemaphore | None = places
        self._given_back = given_back

    def release(self) -> None:
        """Give the place back. A second call does nothing."""
        places, self._places = self._places, None
        if places is not None:
            places.release()
            if self._given_back:
                self._given_back()


def gate() -> Gate:
    """The gate of the app that handles this request."""
    found: Gate = current_app.extensions["gate"]
    return found


def install(app: Flask, working: int, waiting: int) -> None:
    """Read each request's body first; then the request waits for a place to work."""
    app.extensions["gate"] = Gate(working, waiting)

    @app.before_request
    def _enter() -> None:
        _expect_in_time()
        if request.path in PROBES:
            return  # they must be answered while all places are taken
        if request.path.startswith("/v1/files/"):
            return  # its bytes go straight between disk and network
        if request.mimetype in FORMS:
            request.files  # noqa: B018 - reads the body
        else:
            request.max_content_length = FIELDS_LIMIT
            request.get_data()
        gate().enter()

    @app.teardown_request
    def _leave(error: BaseException | None) -> None:
        gate().leave()


def _expect_in_time() -> None:
    """Answer 408 when the body arrives too slowly."""
    environ = request.environ
    connection = environ.get("gunicorn.socket")
    if connection is not None:
        connection.settimeout(SILENCE_SECONDS)
    environ["wsgi.input"] = _Paced(environ["wsgi.input"], request.content_length or 0)


class _Paced(io.RawIOBase):
    """A body that must arrive at a pace. An error while it is read is the client's: 408 when too slow, else 400."""

    def __init__(self, body: Any, length: int) -> None:
        self._body = body
        self._until = time.monotonic() + PATIENCE_SECONDS + length / BYTES_PER_SECOND

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._taken(lambda: self._body.read(size))

    def readline(self, size: int | None = -1) -> bytes:
        return self._taken(lambda: self._body.readline(-1 if size is None else size))

    def readinto(self, buffer: Any) -> int:
        part = self.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def _taken(self, take: Callable[[], bytes]) -> bytes:
        if time.monotonic() > self._until:
            raise RequestTimeout(TOO_SLOW)
        try:
            with waiting_for_others():
                return bytes(take())
        except TimeoutError as error:
            raise RequestTimeout(TOO_SLOW) from error
        except (HTTPException, MemoryError):
            raise
        except Exception as error:  # a connection that broke, and gunicorn's own errors for bad chunks
            raise BadRequest("the body can't be read") from error
