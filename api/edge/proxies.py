"""Who called, where proxies stand in front: `STEMSVC_TRUSTED_PROXIES`.

A proxy adds the address that called it to `X-Forwarded-For`. What stands before that, the caller has said, and nobody
need believe it. So the list is read from its end, for as long as those who wrote it are trusted.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

from stemsvc.errors import BadSetting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
SCHEMES = ("http", "https")
_WITH_PORT = re.compile(r"\[(.*)\](?::\d+)?|([\d.]+):\d+")  # some balancers write it


def read_networks(text: str, setting: str) -> list[Network]:
    """The networks in a setting. Raises `FatalError` `bad_setting`."""
    try:
        return [ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip()]
    except ValueError as error:
        raise BadSetting(f"{setting}: {error}") from error


def read_address(text: str) -> Address | None:
    """An address, without its zone or port; one of IPv4 that was written as one of IPv6 is one of IPv4."""
    text = text.strip().strip('"')
    if found := _WITH_PORT.fullmatch(text):
        text = found[1] or found[2]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class TrustedProxies:
    """The proxies whose word on their callers counts. Raises `FatalError` `bad_setting` for networks that are none."""

    def __init__(self, networks: str) -> None:
        self._networks = read_networks(networks, "STEMSVC_TRUSTED_PROXIES")
        self._trusts = functools.lru_cache(10_000)(self._is_in)

    def trusts(self, address: str) -> bool:
        """Whether a proxy has this address."""
        return bool(self._networks) and self._trusts(address)

    def client(self, peer: str, forwarded: str) -> tuple[str, int]:
        """The address of the client, and how many proxies vouch for it: 0 where it is the socket's own `peer`.

        `forwarded` is the `X-Forwarded-For` of the request; several are joined by commas.
        """
        client, proxies = peer, 0
        for each in reversed(forwarded.split(",")):
            address = read_address(each) if self.trusts(client) else None
            if address is None:
                break
            client, proxies = str(address), proxies + 1
        return client, proxies

    def _is_in(self, text: str) -> bool:
        address = read_address(text)
        return address is not None and any(address in network for network in self._networks)


class BehindProxies:
    """Tells a WSGI app of the client that called the trusted proxies, and of the scheme that it called by.

    It tells nothing of the name: proxies pass `Host` on, and some of them pass on any `X-Forwarded-Host` of a client.
    """

    def __init__(self, app: WSGIApplication, proxies: TrustedProxies) -> None:
        self._app = app
        self._proxies = proxies
        self._told = ProxyFix(app, x_for=1, x_proto=1)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Handle a request."""
        peer = environ.get("REMOTE_ADDR", "")
        if not self._proxies.trusts(peer):
            return self._app(environ, start_response)
        client, proxies = self._proxies.client(peer, environ.get("HTTP_X_FORWARDED_FOR", ""))
        environ["HTTP_X_FORWARDED_FOR"] = client
        environ["HTTP_X_FORWARDED_PROTO"] = _scheme(environ.get("HTTP_X_FORWARDED_PROTO", ""), proxies)
        return self._told(environ, start_response)


def _scheme(forwarded: str, proxies: int) -> str:
    """What the proxy said that the client called; empty where it said nothing of use."""
    said = [each.strip().lower() for each in forwarded.split(",")]
    scheme = said[max(0, len(said) - max(1, proxies))]
    return scheme if scheme in SCHEMES else ""
