"""Refuses the URLs, names and addresses that are not on the public internet."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import unicodedata
from urllib.parse import urlsplit

from stemsvc.control.networks import GLOBAL_UNICAST, Address, is_public
from stemsvc.errors import BadUrl, DnsUnavailable, HostNotFound, UrlRefused

LONGEST_URL = 2048

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
        if not is_public(found, self._networks):
            raise UrlRefused("this host is not on the public internet")

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
