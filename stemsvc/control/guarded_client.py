"""Connects to clients' URLs, at public addresses only. It checks each connection, also redirects and rebound names."""

from __future__ import annotations

import functools
import math
import queue
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore
import httpx

from stemsvc.control.guard import Guard
from stemsvc.errors import DnsUnavailable, UrlRefused

DNS_SECONDS = 10.0
WRITE_BYTES = 64 * 1024
MOST_REDIRECTS = 5


class Deadline:
    """The end of a whole exchange, however its bytes come: a wait for each of them alone never ends it."""

    def __init__(self, seconds: float = math.inf) -> None:
        self._until = time.monotonic() + seconds

    def allow(self, seconds: float) -> None:
        """From now on the exchange may go on for that long."""
        self._until = time.monotonic() + seconds

    def left(self, wish: float | None = None) -> float | None:
        """Seconds until the end, at most `wish`; None for ever. Raises `TimeoutError` when it is over."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for the whole exchange is over")
        return wish if math.isinf(left) else min(left, math.inf if wish is None else wish)


class _Stream(httpcore.NetworkStream):
    """A connection whose reads and writes end at the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline, timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        for start in range(0, len(view), WRITE_BYTES):  # the stream takes its timeout for each of its own writes
            part = bytes(view[start : start + WRITE_BYTES])
            self._stream.write(part, _left(self._deadline, timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline, timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: Deadline, wish: float | None, error: type[Exception]) -> float | None:
    try:
        return deadline.left(wish)
    except TimeoutError as over:
        raise error(str(over)) from over


class _Backend(httpcore.NetworkBackend):
    """Connects until the deadline. With a guard it connects to the addresses that the guard has checked, because a
    name may have another address a moment later."""

    def __init__(self, guard: Guard | None, deadline: Deadline) -> None:
        self._guard = guard
        self._deadline = deadline
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        last: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        guard = self._guard
        for address in [host] if guard is None else _in_time(lambda: guard.resolve(host, port), self._deadline):
            left = _left(self._deadline, timeout, httpcore.ConnectTimeout)
            try:
                plain = self._plain.connect_tcp(address, port, left, local_address, socket_options)
                return _Stream(plain, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last or httpcore.ConnectError("no address")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        raise UrlRefused("only hosts can be connected to")


def _in_time(resolve: Callable[[], list[str]], deadline: Deadline) -> list[str]:
    """What `resolve` returns or raises. A name server gets no longer than the deadline, or `DNS_SECONDS`.

    The system's resolver can't be interrupted: its thread ends when it gives up by itself.
    """
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolve())
        except Exception as error:
            answers.put(error)

    left = _left(deadline, DNS_SECONDS, httpcore.ConnectTimeout)
    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=left)
    except queue.Empty:
        raise DnsUnavailable("the name server does not answer") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The certificates of the public authorities; to read them takes longer than most requests."""
    return httpx.create_ssl_context()


class _Transport(httpx.HTTPTransport):
    def __init__(self, guard: Guard, proxy: str, deadline: Deadline) -> None:
        super().__init__(trust_env=False)
        context = _trusted()
        if not proxy:
            self._pool = httpcore.ConnectionPool(context, max_connections=10, network_backend=_Backend(guard, deadline))
            return
        through = httpx.Proxy(proxy)
        self._pool = httpcore.HTTPProxy(
            str(through.url), through.raw_auth, ssl_context=context, network_backend=_Backend(None, deadline)
        )


def guarded_client(guard: Guard, timeout: float, proxy: str = "", deadline: Deadline | None = None) -> httpx.Client:
    """An HTTP client that connects to public addresses only, and follows no redirect by itself.

    `timeout` is in seconds, for each wait; `deadline` is for all that the client does. With a `proxy`, the proxy
    resolves the names: URLs are checked, connections are not.
    """
    transport = _Transport(guard, proxy, deadline or Deadline())
    return httpx.Client(transport=transport, timeout=timeout, follow_redirects=False, trust_env=False)
