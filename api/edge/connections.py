"""gunicorn's worker with threads, in which a connection has a thread only while it has a whole request.

The main loop reads the head of a request: its first line and its headers. Until the head is whole, a connection costs a
file descriptor and a few bytes. So thousands of clients that send theirs slowly, or nothing, keep nobody waiting. When
no connection is left for a new client, the one goes that has waited longest for its head. nginx does the same.

Probes have threads of their own: they are answered while every other thread is busy.
"""

from __future__ import annotations

import errno
import functools
import json
import math
import re
import selectors
import socket
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from api.edge.addresses import Addresses
from api.edge.headers import SECURITY
from api.edge.problem_types import ProblemTypes
from api.edge.request_id import HEADER
from stemsvc.errors import (
    ApiBusy,
    BadSetting,
    HeadersTooLarge,
    RequestTimeout,
    StemsvcError,
    TooManyConnections,
    TransientError,
)

HEAD_BYTES = 32 * 1024  # nginx takes as much
PART_BYTES = 16 * 1024  # read at a time
LINGER_SECONDS = 2.0  # for a client to read the last answer; an end without it could take the answer away
LINGER_BYTES = 64 * 1024
PROBE_THREADS = 8
QUICK = 64  # threads that no request may take whose client can keep it waiting, or a quarter of all
FULL_SECONDS = 10.0  # between two lines in the log that say so
NO_FILES = (errno.EMFILE, errno.ENFILE)
OF_NOBODY = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EPROTO, errno.EINTR)
_READ, _WRITING = selectors.EVENT_READ, socket.SHUT_WR
_BARE_LF = re.compile(rb"(?<!\r)\n")
_PROBE = re.compile(rb"(?:GET|HEAD) /(?:healthz/(?:live|ready)|metrics)[ ?]")
_BODY = re.compile(rb"\r\n(?:content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)
_FORWARDED = re.compile(rb"^x-forwarded-for[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_FILE = re.compile(rb"GET /v1/files/")


class Connection(TConn):
    """A connection, and what has come of its next request's head."""

    def __init__(self, cfg: Any, sock: Any, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.head = bytearray()
        self.drained = 0
        self.kept = False  # for its next request
        self.slow = False  # whether the client can keep the thread waiting that answers its request
        self.behind: str | None = None  # the client for whom a trusted proxy has sent the request
        self.leave: Callable[[], None] = lambda: None  # called once, when it is closed

    def take(self, data: bytes) -> bool:
        """Add to the head. Whether the parser can now read it to its end, or to its first mistake, without waiting."""
        before = len(self.head)
        self.head += data
        return self.head.find(b"\r\n\r\n", max(0, before - 3)) >= 0 or bool(_BARE_LF.search(self.head, before))

    @property
    def is_probe(self) -> bool:
        """Whether its next request is a probe."""
        return _PROBE.match(self.head) is not None and not self.may_be_slow

    @property
    def may_be_slow(self) -> bool:
        """Whether its next request has a body, which may come slowly, or asks for a file, which may be read slowly."""
        return _BODY.search(self.head) is not None or _FILE.match(self.head) is not None

    @property
    def forwarded(self) -> str:
        """The `X-Forwarded-For` of its next request."""
        head = self.head.partition(b"\r\n\r\n")[0]  # a body may have come with it
        return ",".join(each.decode("latin-1") for each in _FORWARDED.findall(head))

    def close(self, graceful: bool = False) -> None:
        """Close it at once: the loop must not wait, as gunicorn's does, until the client has read its answer."""
        leave, self.leave = self.leave, lambda: None
        leave()
        super().close()


class Worker(ThreadWorker):
    """The worker. `limit` it before it runs."""

    worker_connections: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_seconds = 10.0
        self._addresses = Addresses(0, "")
        self._types = ProblemTypes()
        self._headers: dict[str, str] = {}
        self._reading: dict[Connection, None] = {}  # without a whole head, by their deadlines
        self._closing: dict[Connection, None] = {}  # answered, and not yet closed by the client, by their deadlines
        self._probes = ThreadPoolExecutor(PROBE_THREADS, thread_name_prefix="probe")
        self._slow = 0  # requests that threads answer and clients can keep waiting
        self._said_full = 0.0

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse what this loop can't read: it looks for the end of a head in the bytes of HTTP/1."""
        super().check_config(cfg, log)
        if cfg.is_ssl or cfg.http2_cleartext != "off" or cfg.proxy_protocol != "off":
            raise BadSetting("the api speaks HTTP/1 without TLS: let a proxy in front do the rest")

    def limit(self, head_seconds: float, addresses: Addresses) -> None:
        """Set how long a head may take, and what counts the connections of an address."""
        self._head_seconds, self._addresses = head_seconds, addresses

    def answer_with(self, types: ProblemTypes, headers: dict[str, str]) -> None:
        """Set what makes a problem's type, and more headers of the answers that never get as far as the app."""
        self._types, self._headers = types, headers

    # --- a connection comes, and its head

    def accept(self, listener: Any) -> None:
        """Take a new connection."""
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in NO_FILES:
                self._take_no_more()
            elif error.errno not in OF_NOBODY:
                raise
            return
        self.nr_conns += 1
        if self.nr_conns >= self.worker_connections:
            self._make_room()
        connection = Connection(self.cfg, sock, client, listener.getsockname())
        try:
            who = self._addresses.enter(client)
        except TooManyConnections as error:
            self._refuse(connection, error)
            return
        connection.leave = functools.partial(self._addresses.leave, who)
        if self._has_come(connection):  # mostly it has, and then the poller need not hear of it
            self.enqueue_req(connection)
            return
        connection.timeout = time.monotonic() + self._head_seconds
        self._reading[connection] = None
        self.poller.register(sock, _READ, functools.partial(self._read_head, connection))

    def _has_come(self, conn: Connection) -> bool:
        """Whether a new connection's first head is whole already. An end is found when the poller says so."""
        data = _received(conn.sock)
        return data is not None and data != b"" and conn.take(data)

    def on_client_socket_readable(self, conn: Connection, client: Any) -> None:
        """A kept connection begins its next request."""
        if not conn.kept:
            return
        self.keepalived_conns.remove(conn)
        conn.kept = False
        conn.timeout = time.monotonic() + self._head_seconds
        self._reading[conn] = None
        self.poller.modify(client, _READ, functools.partial(self._read_head, conn))
        self._read_head(conn, client)

    def _read_head(self, conn: Connection, sock: Any) -> None:
        if conn not in self._reading:  # it made room after this event had come
            return
        data = _received(sock)
        if data is None:
            return
        if not data:  # the client has left
            self._forget(conn)
            self._end(conn)
        elif conn.take(data):
            self._forget(conn)
            self.enqueue_req(conn)
        elif len(conn.head) > HEAD_BYTES:
            self._forget(conn)
            self._refuse(conn, HeadersTooLarge(f"the request's headers have more than {HEAD_BYTES} bytes"))

    def enqueue_req(self, conn: Connection) -> None:
        """Have a thread answer the request."""
        try:
            conn.behind = self._addresses.enter_behind(conn.client, conn.forwarded)
        except TooManyConnections as error:
            self._refuse(conn, error)
            return
        conn.slow = conn.may_be_slow
        if conn.slow:
            if self._slow >= self.cfg.threads - min(QUICK, self.cfg.threads // 4):
                conn.slow = False
                self._leave_behind(conn)
                self._refuse(conn, ApiBusy("too many bodies and files are on their way", retry_after=10.0))
                return
            self._slow += 1
        pool = self._probes if conn.is_probe else self.tpool
        answer: Future[Any] = pool.submit(self.handle, conn)
        answer.add_done_callback(lambda future: self.method_queue.defer(self.finish_request, conn, future))

    def handle(self, conn: Connection) -> Any:
        """In a thread: answer the request whose head has come."""
        conn.init()
        conn.parser.unreader.unread(bytes(conn.head))
        conn.head = bytearray()
        return super().handle(conn)

    # --- a request ends, and a connection

    def finish_request(self, conn: Connection, fs: Future[Any]) -> None:
        """Keep the connection for the next request, or close it."""
        self._slow -= conn.slow
        self._leave_behind(conn)
        try:
            keep = bool(not fs.cancelled() and fs.result())
            conn.sock.setblocking(False)
        except Exception:  # what gunicorn's own handler could not handle
            self._end(conn)
            return
        if not keep:
            self._linger(conn)
            return
        early = conn.parser.unreader.take_buffered()  # the next request may have come with this one's body
        now = time.monotonic()
        if early and conn.take(early):
            self.enqueue_req(conn)
        elif early:
            conn.timeout = now + self._head_seconds
            self._reading[conn] = None
            self.poller.register(conn.sock, _READ, functools.partial(self._read_head, conn))
        else:
            conn.timeout = now + (self.cfg.keepalive if self.alive else min(self.cfg.keepalive, STOP_KEEPALIVE_LINGER))
            conn.kept = True
            self.keepalived_conns.append(conn)
            self.poller.register(conn.sock, _READ, functools.partial(self.on_client_socket_readable, conn))

    def _leave_behind(self, conn: Connection) -> None:
        who, conn.behind = conn.behind, None
        self._addresses.leave(who)

    def murder_pending(self) -> None:
        """End the connections whose time is over. gunicorn calls it every second."""
        now = time.monotonic()
        for conn in _overdue(self._reading, now):
            self._forget(conn)
            if conn.head:
                self._refuse(conn, RequestTimeout("the request's headers arrived too slowly"))
            else:  # browsers open connections that they may never use, and take an answer there for that to the next
                self._end(conn)
        for conn in _overdue(self._closing, now):
            self._forget(conn)
            self._end(conn)
        if self.nr_conns < self.worker_connections // 2:  # files may be had again
            self.worker_connections = self.cfg.worker_connections

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for conn in self._reading:
            conn.timeout = min(conn.timeout, deadline)

    def _refuse(self, conn: Connection, error: StemsvcError) -> None:
        self._send(conn, error)
        self._linger(conn)

    def _send(self, conn: Connection, error: StemsvcError) -> None:
        try:
            conn.sock.setblocking(False)
            # it is short: a socket that can't take it has a client that does not read
            conn.sock.send(raw_problem(error, self._types, self._headers))
        except OSError:
            pass

    def _linger(self, conn: Connection) -> None:
        """Close it once the client has read the answer and closed its side, or does not do so soon."""
        try:
            conn.sock.shutdown(_WRITING)
        except OSError:
            self._end(conn)
            return
        conn.timeout = time.monotonic() + LINGER_SECONDS
        self._closing[conn] = None
        self.poller.register(conn.sock, _READ, functools.partial(self._drain, conn))

    def _drain(self, conn: Connection, sock: Any) -> None:
        if conn not in self._closing:
            return
        data = _received(sock)
        if data is None:
            return
        conn.drained += len(data)
        if not data or conn.drained > LINGER_BYTES:
            self._forget(conn)
            self._end(conn)

    def _forget(self, conn: Connection) -> None:
        """Wait no longer for what the client sends."""
        self._reading.pop(conn, None)
        self._closing.pop(conn, None)
        self.poller.unregister(conn.sock)

    def _end(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()

    # --- too many of them

    def _make_room(self) -> bool:
        """Close the connection that is missed least. Whether there was one that has no request."""
        waiting: tuple[Any, ...] = (self._closing, self.keepalived_conns, self._reading)
        for which in waiting:
            if which:
                conn = next(iter(which))
                if isinstance(which, deque):
                    which.popleft().kept = False
                self._forget(conn)
                self._end(conn)
                self._say_full("connections that wait for a request are closed, the oldest first, to make room")
                return True
        return False

    def _take_no_more(self) -> None:
        """The process has no file descriptors left: keep fewer connections, so that requests can open files again."""
        self._say_full("no file descriptors are left for more connections; raise the limit of open files")
        self.worker_connections = max(1, self.nr_conns * 4 // 5)
        while self.nr_conns >= self.worker_connections and self._make_room():
            pass

    def _say_full(self, what: str) -> None:
        if time.monotonic() > self._said_full:
            self._said_full = time.monotonic() + FULL_SECONDS
            self.log.warning("%s (%d are open)", what, self.nr_conns)


def _received(sock: Any) -> bytes | None:
    """What has come; empty when the client has left, None when nothing has come yet."""
    try:
        return bytes(sock.recv(PART_BYTES))
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return b""


def _overdue(connections: dict[Connection, None], now: float) -> Iterator[Connection]:
    """Those whose deadline has passed. The caller takes each out before it asks for the next."""
    while connections and (first := next(iter(connections))).timeout <= now:
        yield first


def raw_problem(error: StemsvcError, types: ProblemTypes, more: dict[str, str] | None = None) -> bytes:
    """The whole answer to a request that never got as far as the app: problem+json, as the app's.

    `more` are headers beside those of every answer.
    """
    status, request_id = HTTPStatus(error.status or 400), uuid.uuid4().hex
    body = {
        "type": types.address(error.code),
        "title": status.phrase,
        "status": status.value,
        "code": error.code,
        "detail": error.detail,
        "request_id": request_id,
    }
    content = json.dumps(body).encode()
    headers = {
        "Content-Type": "application/problem+json",
        "Content-Length": str(len(content)),
        "Connection": "close",
        "Cache-Control": "no-store",
        HEADER: request_id,
        **SECURITY,
        **(more or {}),
    }
    if isinstance(error, TransientError) and error.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content
