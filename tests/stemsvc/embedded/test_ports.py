"""Where the embedded servers listen."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from stemsvc.embedded.ports import free_port

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


@pytest.mark.skipif(not RANGE.exists(), reason="only Linux tells its range")
def test_a_port_is_named_once_and_is_none_that_a_connection_may_be_given() -> None:
    ports = [free_port() for _ in range(200)]

    assert len(set(ports)) == len(ports)
    assert max(ports) < int(RANGE.read_text().split()[0])


def test_a_port_that_somebody_listens_on_is_not_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()

        assert taken.getsockname()[1] not in {free_port() for _ in range(500)}
