"""Confines the child process that fetches: it connects only to public addresses, starts no programs but JavaScript
runtimes, and can't fill the disk.

Python calls audit hooks before each connection, whichever library makes it and whatever address a name resolved to. A
hook can't be removed. So yt-dlp's own connections pass the same guard as ours.
"""

from __future__ import annotations

import ipaddress
import os
import resource
import socket
import sys
from typing import Any
from urllib.parse import urlsplit

from stemsvc.control.guard import Guard
from stemsvc.errors import UrlRefused

SPARE_BYTES = 64 * 1024 * 1024  # of a file, above the largest track: for what yt-dlp writes beside it
RUNTIMES = ("deno", "node", "bun", "qjs", "quickjs")  # yt-dlp solves YouTube's puzzles in them, without a network
_STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty")


def confine(guard: Guard, proxy: str, max_bytes: int) -> None:
    """From now on this process connects only where `guard` allows; with a `proxy`, only to the proxy."""
    _limit(resource.RLIMIT_FSIZE, max_bytes + SPARE_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    through = _proxy_addresses(proxy) if proxy else None

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            _check(guard, through, arguments[0], arguments[-1])
        elif event in _STARTS and not (event == "subprocess.Popen" and _is_runtime(arguments)):
            raise PermissionError("a process that fetches may not start programs")

    sys.addaudithook(hook)


def _check(guard: Guard, through: set[str] | None, connection: Any, address: Any) -> None:
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        raise UrlRefused("only connections to hosts are allowed")
    host = str(address[0])
    if through is not None:
        if host not in through:
            raise UrlRefused("only connections to the proxy are allowed")
        return
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        raise UrlRefused("a name must be resolved before a connection to it") from None
    guard.check_address(host)


def _proxy_addresses(proxy: str) -> set[str]:
    parts = urlsplit(proxy)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {str(entry[4][0]) for entry in found}


def _is_runtime(arguments: tuple[Any, ...]) -> bool:
    program = arguments[0] or (arguments[1][0] if arguments[1] else "")
    return os.path.basename(os.fsdecode(program)).removesuffix(".exe") in RUNTIMES  # noqa: PTH119 - bytes or str


def _limit(which: int, most: int) -> None:
    _, hard = resource.getrlimit(which)
    resource.setrlimit(which, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
