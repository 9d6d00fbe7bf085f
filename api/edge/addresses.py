"""Counts the connections of each client."""

from __future__ import annotations

import functools
import ipaddress
from collections import Counter
from typing import Any

from api.edge.proxies import Address, TrustedProxies, read_address, read_networks
from stemsvc.errors import TooManyConnections


def counted_as(address: str) -> str:
    """What stands for a client in counts: its address, or of IPv6 its network of 64 bits, which one client has."""
    found = read_address(address)
    return address if found is None else _counted_as(found)


def _counted_as(address: Address) -> str:
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))


class Addresses:
    """Counts the open connections of each client. Those of proxies are not counted.

    For the requests that `trusted` proxies pass on, it counts how many of each client are at work at a time. Raises
    `FatalError` `bad_setting` for networks that are none.
    """

    def __init__(self, most: int, proxies: str, trusted: str = "") -> None:
        self._most = most
        self._proxies = read_networks(proxies, "STEMSVC_PROXY_NETWORKS")
        self._trusted = TrustedProxies(trusted)
        self._open: Counter[str] = Counter()
        self._counted = functools.lru_cache(10_000)(self._find)

    def enter(self, peer: Any) -> str | None:
        """Count a connection of a socket's peer. Returns what `leave` takes. Raises `too_many_connections`."""
        if not isinstance(peer, tuple) or self._trusted.trusts(peer[0]):
            return None
        return self._enter(peer[0])

    def enter_behind(self, peer: Any, forwarded: str) -> str | None:
        """Count a request that a trusted proxy passes on, by its `X-Forwarded-For`.

        Returns what `leave` takes. Raises `too_many_connections`.
        """
        if not isinstance(peer, tuple):
            return None
        client, proxies = self._trusted.client(peer[0], forwarded)
        return self._enter(client) if proxies else None

    def leave(self, who: str | None) -> None:
        """Count a connection no more."""
        if who is not None:
            self._open[who] -= 1
            if self._open[who] <= 0:
                del self._open[who]

    def _enter(self, address: str) -> str | None:
        who = self._counted(address) if self._most else None
        if who is not None:
            if self._open[who] >= self._most:
                raise TooManyConnections(f"{self._most} connections of this address are open", retry_after=10.0)
            self._open[who] += 1
        return who

    def _find(self, text: str) -> str | None:
        address = read_address(text)
        if address is None:
            return text
        return None if any(address in each for each in self._proxies) else _counted_as(address)
