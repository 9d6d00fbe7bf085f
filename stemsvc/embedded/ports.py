"""Ports that the embedded servers listen on."""

from __future__ import annotations

import contextlib
import secrets
import socket

from stemsvc.errors import PortTaken

PORTS = range(20_000, 32_000)  # below those that systems give to connections: Linux begins at 32768, others higher
_given: set[int] = set()  # ports that this process has named: whom they were named to may not listen yet


def free_port() -> int:
    """A TCP port of the loopback that was free a moment ago, and that no connection is given meanwhile.

    Raises `FatalError` `port_taken`.
    """
    for _ in range(100):
        port = secrets.choice(PORTS)
        if port in _given:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port
    raise PortTaken("none of a hundred ports of the loopback is free")
