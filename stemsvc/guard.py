"""Connects to clients' URLs, at public addresses only. It checks each connection, also redirects and rebound names."""

from __future__ import annotations

import functools
import ipaddress
import math
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

from stemsvc.errors import (
    BadUrl,
    DnsUnavailable,
    HostNotFound,
    UrlRefused,
)

LONGEST_URL = 2048
DNS_SECONDS = 10.0
WRITE_BYTES = 64 * 1024
MOST_REDIRECTS = 5
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})", re.ASCII)
_LOCAL_NAMES = ("localhost", ".localhost", ".local", ".internal", ".localdomain")


class Guard:
    """Refuses private addresses. `allowed` are private networks that may be reached all the same, separated by commas,
    such as `10.0.0.0/8`. Raises `ValueError` for a text that is not a network."""

    def __init__(self, allowed: str = "") -> None:
        self.allowed = allowed
        self._networks = [ipaddress.ip_network(part.strip()) for part in allowed.split(",") if part.strip()]

    def check_url(self, url: str) -> None:
        """Refuse the URLs that can be refused without a name server.

        Raises `UsageError` `bad_url` if it is not a plain http(s) URL, and `url_refused` for a private address.
        """
        if len(url) > LONGEST_URL or not url.isascii() or any(ord(letter) <= 32 or letter in '\\"<>' for letter in url):
            raise BadUrl(f"a URL has at most {LONGEST_URL} ASCII characters, without spaces")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise BadUrl("this is not a URL") from error
        if parts.scheme.lower() not in ("http", "https") or not host or port == 0:
            raise BadUrl("a URL must start with http:// or https:// and have a host")
        if parts.username is not None or parts.password is not None:
            raise BadUrl("a URL must not carry a user name or password")
        literal = _literal(host)
        if literal is not None:
            self.check_address(literal)
        elif not _HOST.fullmatch(host):
            raise BadUrl("this host is not a valid name")
        elif self._is_local_name(host):
            raise UrlRefused("this host is not on the public internet")

    def _is_local_name(self, host: str) -> bool:
        name = host.lower().rstrip(".")
        return not self._networks and (name.endswith(_LOCAL_NAMES[1:]) or name == _LOCAL_NAMES[0])

    def check_address(self, address: str | Address) -> None:
        """Raise `UsageError` `url_refused` unless the address is public or allowed."""
        found = ipaddress.ip_address(address.partition("%")[0]) if isinstance(address, str) else address
        if not all(self._is_open(each) for each in _embedded(found) or [found]):
            raise UrlRefused("this host is not on the public internet")

    def _is_open(self, address: Address) -> bool:
        if any(address in network for network in self._networks if network.version == address.version):
            return True
        return address.is_global and not address.is_multicast and not address.is_reserved

    def resolve(self, host: str, port: int) -> list[str]:
        """The host's addresses. One private address among them refuses the host.

        Raises `UsageError` `url_refused`, `host_not_found`, or `TransientError` `dns_unavailable`.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise DnsUnavailable("the name server does not answer") from error
            raise HostNotFound("there is no such host") from error
        except (OSError, UnicodeError) as error:
            raise HostNotFound("there is no such host") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            self.check_address(address)
        return addresses


def _literal(host: str) -> Address | None:
    """A host that is an address, in any spelling that a resolver takes (`0x7f.1`, `2130706433`, `[::1]`); else None."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def _embedded(address: Address) -> list[Address]:
    """IPv4 addresses that an IPv6 address leads to: mapped, 6to4, Teredo, NAT64."""
    if not isinstance(address, ipaddress.IPv6Address):
        return []
    inside: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        inside.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in inside if each is not None]


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
