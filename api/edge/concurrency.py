"""How many requests work at a time, how long a body may take to come, how many may wait for jobs.

Threads are many, since streams of events and slow bodies only wait in theirs. What computes is few at a time: more
would only take the interpreter's lock from each other.
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
from stemsvc.errors import TooManyStreams
from stemsvc.settings import Settings

SILENCE_SECONDS = 30.0  # without a byte of a body that is announced
PATIENCE_SECONDS = 60.0  # for any body, and a second for each
TOO_SLOW = "the request's body did not come; send it faster, or in a presigned upload"
BYTES_PER_SECOND = 16 * 1024  # of it beyond that


class Gate:
    """Places for requests that work, and for those that wait."""

    def __init__(self, working: int, waiting: int) -> None:
        self._working = threading.BoundedSemaphore(working)
        self._waiting = threading.BoundedSemaphore(max(1, waiting))
        self._open = waiting > 0

    def enter(self) -> None:
        """Take a place to work, when there is one."""
        self._working.acquire()
        g.working = True

    def leave(self) -> None:
        """Give the place back; once more does nothing."""
        if g.pop("working", False):
            self._working.release()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait without holding a place to work. Raises `TransientError` `too_many_streams`."""
        if not self._open or not self._waiting.acquire(blocking=False):
            raise TooManyStreams("too many requests wait for jobs already", retry_after=10.0)
        worked = g.get("working", False)
        self.leave()
        try:
            yield
        finally:
            self._waiting.release()
            if worked:
                self.enter()

    def hold_stream(self) -> _Held:
        """A place for an answer that goes on after its request's end. Raises `TransientError` `too_many_streams`."""
        if not self._open or not self._waiting.acquire(blocking=False):
            raise TooManyStreams("too many event streams are open already", retry_after=10.0)
        return _Held(self._waiting)


class _Held:
    """A place that is given back once."""

    def __init__(self, places: threading.BoundedSemaphore) -> None:
        self._places: threading.BoundedSemaphore | None = places

    def release(self) -> None:
        """Give it back."""
        places, self._places = self._places, None
        if places is not None:
            places.release()


def gate() -> Gate:
    """The gate of the app that handles this request."""
    found: Gate = current_app.extensions["gate"]
    return found


def install(app: Flask, settings: Settings) -> None:
    """Have each request's body come first, and then wait for its turn."""
    app.extensions["gate"] = Gate(settings.api_threads, settings.api_streams)

    @app.before_request
    def _enter() -> None:
        _expect_in_time()
        if request.path.startswith("/v1/files/"):
            return  # bytes go straight between disk and network
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
    """Have reading the body end by 408 when it comes too slowly."""
    environ = request.environ
    connection = environ.get("gunicorn.socket")
    if connection is not None:
        connection.settimeout(SILENCE_SECONDS)
    environ["wsgi.input"] = _Paced(environ["wsgi.input"], request.content_length or 0)


class _Paced(io.RawIOBase):
    """A body that must keep up a pace. What breaks while it is read is the client's doing."""

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
            return bytes(take())
        except TimeoutError as error:
            raise RequestTimeout(TOO_SLOW) from error
        except (HTTPException, MemoryError):
            raise
        except Exception as error:  # a connection that was cut, and the server's own kinds for chunks that are none
            raise BadRequest("the body can't be read") from error
