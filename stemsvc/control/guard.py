"""Connects to clients' URLs, at public addresses only. It checks each connection, also redirects and rebound names."""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import math
import queue
import re
import socket
import ssl
import threading
import time
import unicodedata
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

# Every entry of IANA's registries of special-purpose addresses is refused, also those that the registries call globally
# reachable: they are relays and anycast services of the network itself, and the nearest one may be the operator's own.
# An entry inside another one is left out.
SPECIAL = (
    # https://www.iana.org/assignments/iana-ipv4-special-registry
    "0.0.0.0/8",  # this network, RFC 791
    "10.0.0.0/8",  # private, RFC 1918
    "100.64.0.0/10",  # shared by a provider's customers, RFC 6598; metadata of Alibaba Cloud: 100.100.100.200
    "127.0.0.0/8",  # loopback, RFC 1122
    "169.254.0.0/16",  # link-local, RFC 3927; metadata of most clouds: 169.254.169.254, of ECS tasks: 169.254.170.2
    "172.16.0.0/12",  # private, RFC 1918
    "192.0.0.0/24",  # protocol assignments, RFC 6890; metadata of Oracle Cloud: 192.0.0.192
    "192.0.2.0/24",  # documentation, RFC 5737
    "192.31.196.0/24",  # AS112, RFC 7535
    "192.52.193.0/24",  # multicast tunnels (AMT), RFC 7450
    "192.88.99.0/24",  # relays of 6to4, deprecated, RFC 7526
    "192.168.0.0/16",  # private, RFC 1918
    "192.175.48.0/24",  # AS112, RFC 7534
    "198.18.0.0/15",  # benchmarks, RFC 2544
    "198.51.100.0/24",  # documentation, RFC 5737
    "203.0.113.0/24",  # documentation, RFC 5737
    "240.0.0.0/4",  # reserved, RFC 1112; it holds the limited broadcast, RFC 8190
    # https://www.iana.org/assignments/multicast-addresses
    "224.0.0.0/4",
    # https://www.iana.org/assignments/iana-ipv6-special-registry, as far as the entries are global unicast addresses
    "2001::/23",  # protocol assignments, RFC 2928: Teredo, benchmarks, ORCHID, AMT, AS112 and more
    "2001:db8::/32",  # documentation, RFC 3849
    "2002::/16",  # 6to4, RFC 3056: the public relays are gone, a private one leads inside
    "2620:4f:8000::/48",  # AS112, RFC 7534
    "3fff::/20",  # documentation, RFC 9637
    # Clouds that use public addresses inside
    "168.63.129.16/32",  # https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
    "161.26.0.0/16",  # https://cloud.ibm.com/docs/infrastructure-hub?topic=infrastructure-hub-ibm-cloud-ip-ranges
    "166.8.0.0/14",  # the same page
)
# Of IPv6 only this block is for public hosts (https://www.iana.org/assignments/ipv6-address-space). The rest is refused
# without a list: `::1`, `::`, `::a.b.c.d`, 64:ff9b:1::/48, 100::/64, 5f00::/16, fc00::/7 (with the metadata of AWS at
# fd00:ec2::254 and of Google at fd20:ce::254), fe80::/10, the former site-local fec0::/10, multicast ff00::/8.
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# These two carry an IPv4 address, and are as open as that one. The well-known prefix of NAT64 (RFC 6052) is what an
# IPv6-only network makes of every public IPv4 address; 64:ff9b:1::/48 (RFC 8215) leads wherever its operator wants.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)  # the upper half of an interface identifier that ends with an IPv4 address, RFC 5214

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})", re.ASCII)
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)
# Names that lead inside: special-use names (https://www.iana.org/assignments/special-use-domain-names), `.internal`
# (reserved by ICANN in 2024), what home routers and offices use, and Kubernetes' services.
_LOCAL_NAMES = (
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "private",
    "home.arpa",
    "home",
    "lan",
    "corp",
    "svc",
)


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
        if (
            parts.scheme.lower() not in ("http", "https")
            or not host
            or port == 0
            or ("[" in parts.netloc and ":" not in host)
        ):
            raise BadUrl("a URL must start with http:// or https:// and have a host")
        if parts.username is not None or parts.password is not None:
            raise BadUrl("a URL must not carry a user name or password")
        self._check_host(host)

    def _check_host(self, host: str) -> None:
        literals = _literals(host)
        for literal in literals:
            self.check_address(literal)
        if literals:
            return
        if not _HOST.fullmatch(host) or any(map(_is_disguised, host.split("."))):
            raise BadUrl("this host is not a valid name")
        if not self._networks and _is_local(host):
            raise UrlRefused("this host is not on the public internet")

    def check_address(self, address: str | Address) -> None:
        """Raise `UsageError` `url_refused` unless the address is public or allowed."""
        found = ipaddress.ip_address(address.partition("%")[0]) if isinstance(address, str) else address
        if not self._is_open(found):
            raise UrlRefused("this host is not on the public internet")

    def _is_open(self, address: Address) -> bool:
        if (inside := _carried(address)) is not None:
            return self._is_open(inside)
        if any(address in network for network in self._networks if network.version == address.version):
            return True
        if any(address in network for network in _SPECIAL[address.version]):
            return False
        if isinstance(address, ipaddress.IPv4Address):
            return True
        inside = _tunneled(address)
        return address in GLOBAL_UNICAST and (inside is None or self._is_open(inside))

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


_SPECIAL = {
    version: [network for network in map(ipaddress.ip_network, SPECIAL) if network.version == version]
    for version in (4, 6)
}


def _literals(host: str) -> list[Address]:
    """What a host that is an address may mean; empty for a name. Raises `UsageError` `bad_url`.

    A host whose last label is a number is an IPv4 address or nothing, as browsers have it (WHATWG URL, "ends in a
    number"): `0x7f.1`, `2130706433` and `127.0.0.1.` too. A part with a leading zero is octal to some programs and
    decimal to others, such as a proxy that we do not know: it means both.
    """
    if ":" in host:
        address, zone, _ = host.partition("%")
        try:
            found = ipaddress.IPv6Address(address)
        except ValueError as error:
            raise BadUrl("this is not an IPv6 address") from error
        if zone and found in GLOBAL_UNICAST:
            raise BadUrl("an address with a zone is not on the internet")
        return [found]
    parts = host.rstrip(".").split(".")
    if not _NUMBER.fullmatch(parts[-1]):
        return []
    decimal = ".".join(part.lstrip("0") or "0" if part.isdigit() else part for part in parts)
    meant: list[Address] = []
    for spelling in (".".join(parts), decimal):
        with contextlib.suppress(OSError):
            meant.append(ipaddress.IPv4Address(socket.inet_aton(spelling)))
    if not meant or host.endswith(".."):
        raise BadUrl("this is not an IPv4 address")
    return meant


def _is_disguised(label: str) -> bool:
    """Whether a label says by Punycode what it could say plainly: no name that IDNA makes does, and a program that
    decodes it would see another name, such as `localhost` in wide letters."""
    if not label.lower().startswith("xn--"):
        return False
    try:
        decoded = label[4:].encode().decode("punycode")
    except UnicodeError:
        return True
    return unicodedata.normalize("NFKC", decoded).isascii() or any(dot in decoded for dot in ".\u3002\uff0e\uff61")


def _is_local(host: str) -> bool:
    """Whether a name leads inside whatever a name server says. No public name is a single label."""
    name = host.lower().rstrip(".")
    return "." not in name or name in _LOCAL_NAMES or name.endswith(tuple(f".{each}" for each in _LOCAL_NAMES))


def _carried(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address of which an IPv6 address is another spelling: mapped, or by the well-known prefix of NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    return _last_32_bits(address) if address in _NAT64 else address.ipv4_mapped


def _tunneled(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address at the end of an ISATAP tunnel. Those of 6to4 and Teredo need no look: all are refused."""
    return _last_32_bits(address) if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP else None


def _last_32_bits(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


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
