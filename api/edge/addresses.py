"""Counts the connections of each client."""

from __future__ import annotations

import functools
import ipaddress
from collections import Counter
from typing import Any

from stemsvc.errors import BadSetting, TooManyConnections


class Addresses:
    """Counts the open connections of each address. Those of proxies are not counted.

    An address of IPv6 counts as its network of 64 bits, which is what one client has. Raises `FatalError`
    `bad_setting` for networks that are none.
    """

    def __init__(self, most: int, proxies: str) -> None:
        self._most = most
        try:
            self._proxies = [ipaddress.ip_network(each.strip()) for each in proxies.split(",") if each.strip()]
        except ValueError as error:
            raise BadSetting(f"STEMSVC_PROXY_NETWORKS: {error}") from error
        self._open: Counter[str] = Counter()
        self._counted = functools.lru_cache(10_000)(self._find)

    def enter(self, peer: Any) -> str | None:
        """Count a connection of a socket's peer. Returns what `leave` takes. Raises `too_many_connections`."""
        who = self._counted(peer[0]) if self._most and isinstance(peer, tuple) else None
        if who is not None:
            if self._open[who] >= self._most:
                raise TooManyConnections(f"{self._most} connections of this address are open", retry_after=10.0)
            self._open[who] += 1
        return who

    def leave(self, who: str | None) -> None:
        """Count a connection no more."""
        if who is not None:
            self._open[who] -= 1
            if self._open[who] <= 0:
                del self._open[who]

    def _find(self, address: str) -> str | None:
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return address
        if isinstance(found, ipaddress.IPv6Address):
            if found.ipv4_mapped is None:
                network = ipaddress.ip_network((found, 64), strict=False)
                return None if any(found in each for each in self._proxies) else str(network)
            found = found.ipv4_mapped
        return None if any(found in each for each in self._proxies) else str(found)
